"""The runner's errors: whose fault they are decides what a module can catch and what is tried again."""

import inspect

import pytest

from pageworker_runner import errors
from pageworker_runner.errors import CleaningFailed, OutputLimit, RunnerError

ALL: list[type[RunnerError]] = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, RunnerError)
]


def test_every_error_is_a_runner_error_that_is_retryable_or_not() -> None:
    assert len(ALL) == len(inspect.getmembers(errors, inspect.isclass)) == 8
    assert {kind.__name__ for kind in ALL if kind.retryable} == {"StartError", "PageLost", "BrowserLost"}


def test_a_module_can_catch_a_limit_as_the_value_error_that_the_sdk_promises() -> None:
    with pytest.raises(ValueError, match="too many") as caught:
        raise OutputLimit("too many", used=65, allowed=64, unit="artifacts")
    assert isinstance(caught.value, OutputLimit)
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (65, 64, "artifacts")


def test_a_failed_cleaning_is_the_browsers_fault_unless_it_was_expected() -> None:
    assert not CleaningFailed("x").expected
    assert CleaningFailed("x", expected=True).expected
