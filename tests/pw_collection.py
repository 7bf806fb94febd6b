"""Spares the garbage collector what pytest collects: more than a million objects, which live as long as the process.

Without this, each full collection looks at all of them, while they are created and again and again while tests run.
"""

import gc
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """No collection while tests are collected. Afterwards the collector ignores what exists by then."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
