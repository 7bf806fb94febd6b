"""Imports a package without a part of it that it can go without, and that costs time and memory in every process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """For the block, an import of this module fails. One that is imported already stays."""
    if name in sys.modules:
        yield
        return
    # None makes an import of the name fail. Source: Python's documentation, "The import system", 5.3.1.
    sys.modules[name] = None  # type: ignore[assignment]  # typeshed knows modules only
    try:
        yield
    finally:
        del sys.modules[name]
