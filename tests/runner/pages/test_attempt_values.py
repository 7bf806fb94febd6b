"""What Playwright keeps for the whole process counts for the attempt that sets it. On import, for all of its module."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright._impl import frame, locator
from playwright._impl.selectors import Selectors
from playwright.async_api import expect

from pageworker_runner.pages.attempt_values import (
    TEST_ID_ATTRIBUTE,
    AttemptValue,
    attributes_of_test_ids,
    expect_timeouts,
)
from pageworker_runner.task_ownership import CURRENT_ATTEMPT


@pytest.fixture
def timeouts() -> Iterator[AttemptValue[float | None]]:
    # Any: the attribute is set while the test runs; its class does not declare it.
    kind: Any = type(expect)
    yield expect_timeouts()
    del kind._timeout


@pytest.fixture
def attributes(monkeypatch: pytest.MonkeyPatch) -> AttemptValue[str]:
    for module in (frame, locator):
        monkeypatch.setattr(module, "test_id_attribute_name", None)
    monkeypatch.setattr(Selectors, "set_test_id_attribute", None)
    return attributes_of_test_ids()


def as_attempt(attempt_id: str, timeout: float | None = None) -> Any:
    """What `expect` uses in an attempt, which sets a timeout first if one is given."""
    token = CURRENT_ATTEMPT.set(attempt_id)
    try:
        if timeout is not None:
            expect.set_options(timeout=timeout)
        return expect._timeout
    finally:
        CURRENT_ATTEMPT.reset(token)


def test_it_counts_for_the_attempt_that_sets_it(timeouts: AttemptValue[float | None]) -> None:
    timeouts.begin("a-1", None)
    assert as_attempt("a-1", 10) == 10
    assert as_attempt("a-2") is None
    assert expect._timeout is None
    timeouts.end("a-1")
    assert as_attempt("a-1") is None


def test_an_attempt_begins_with_what_its_module_has_set(timeouts: AttemptValue[float | None]) -> None:
    timeouts.begin("a-1", 20)
    assert (as_attempt("a-1"), as_attempt("a-1", 30)) == (20, 30)


def test_outside_of_attempts_nothing_is_set(timeouts: AttemptValue[float | None]) -> None:
    expect.set_options(timeout=10)
    assert expect._timeout is None


def test_both_places_of_the_client_ask_for_the_attempts_attribute(attributes: AttemptValue[str]) -> None:
    # Any: methods are replaced.
    untyped: Any = Selectors
    modules: tuple[Any, ...] = (frame, locator)
    token = CURRENT_ATTEMPT.set("a-1")
    try:
        untyped.set_test_id_attribute(None, "data-qa")
        assert [module.test_id_attribute_name() for module in modules] == ["data-qa", "data-qa"]
    finally:
        CURRENT_ATTEMPT.reset(token)
    assert attributes.get("a-1") == "data-qa"
    assert locator.test_id_attribute_name() == TEST_ID_ATTRIBUTE
