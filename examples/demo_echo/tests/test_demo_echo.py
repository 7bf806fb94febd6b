"""`workerctl module test examples/demo_echo`."""

from collections.abc import Callable
from typing import Any


def test_returns_its_payload(run_job: Callable[..., Any]) -> None:
    assert run_job({"hello": ["world", None]}).data == {"hello": ["world", None]}
