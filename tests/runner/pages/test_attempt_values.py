"""`expect.set_options` counts for the attempt that calls it. On import, it counts for all attempts of the module."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from pageworker_runner.pages.expect_timeouts import ExpectTimeouts
from pageworker_runner.task_ownership import CURRENT_ATTEMPT


@pytest.fixture
def timeouts() -> Iterator[ExpectTimeouts]:
    kind: Any = type(expect)
    installed = ExpectTimeouts()
    installed.install()
    yield installed
    del kind._timeout


def as_attempt(attempt_id: str, timeout: float | None = None) -> Any:
    """What `expect` uses in an attempt, which sets a timeout first if one is given."""
    token = CURRENT_ATTEMPT.set(attempt_id)
    try:
        if timeout is not None:
            expect.set_options(timeout=timeout)
        return expect._timeout
    finally:
        CURRENT_ATTEMPT.reset(token)


def test_it_counts_for_the_attempt_that_sets_it(timeouts: ExpectTimeouts) -> None:
    timeouts.begin("a-1", None)
    assert as_attempt("a-1", 10) == 10
    assert as_attempt("a-2") is None
    assert expect._timeout is None
    timeouts.end("a-1")
    assert as_attempt("a-1") is None


def test_an_attempt_begins_with_what_its_module_has_set(timeouts: ExpectTimeouts) -> None:
    timeouts.begin("a-1", 20)
    assert (as_attempt("a-1"), as_attempt("a-1", 30)) == (20, 30)


def test_outside_of_attempts_nothing_is_set(timeouts: ExpectTimeouts) -> None:
    expect.set_options(timeout=10)
    assert expect._timeout is None
