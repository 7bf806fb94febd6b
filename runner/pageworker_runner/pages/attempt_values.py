"""Settings that Playwright keeps once for the whole process: here each counts for the attempt that makes it.

What a module sets while it is imported counts for all its attempts.
"""

from typing import Generic, TypeVar

from pageworker_runner.pages.playwright_internals.client_methods import (
    intercept_expect_timeout,
    intercept_test_id_attribute,
)
from pageworker_runner.task_ownership import CURRENT_ATTEMPT

T = TypeVar("T")

TEST_ID_ATTRIBUTE = "data-testid"
"""Playwright's own."""


class AttemptValue(Generic[T]):
    """One setting, by attempt."""

    def __init__(self, default: T) -> None:
        """`default`: what an attempt has that sets nothing."""
        self._default = default
        self._by_attempt: dict[str, T] = {}

    def get(self, attempt_id: str) -> T:
        """What the attempt has."""
        return self._by_attempt.get(attempt_id, self._default)

    def begin(self, attempt_id: str, value: T) -> None:
        """The attempt's handler begins, with what its module has set."""
        self._by_attempt[attempt_id] = value

    def end(self, attempt_id: str) -> None:
        """The attempt has ended."""
        self._by_attempt.pop(attempt_id, None)

    def read(self) -> T:
        """What counts for the running code."""
        attempt_id = CURRENT_ATTEMPT.get()
        return self._default if attempt_id is None else self.get(attempt_id)

    def write(self, value: T) -> None:
        """The running code sets it. Outside of attempts nothing is set."""
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is not None:
            self._by_attempt[attempt_id] = value


def expect_timeouts() -> AttemptValue[float | None]:
    """`expect.set_options`, in milliseconds, for the rest of the process. None: Playwright's default."""
    timeouts = AttemptValue[float | None](None)
    intercept_expect_timeout(timeouts.read, timeouts.write)
    return timeouts


def attributes_of_test_ids() -> AttemptValue[str]:
    """The attribute of `get_by_test_id`, for the rest of the process."""
    attributes = AttemptValue(TEST_ID_ATTRIBUTE)
    intercept_test_id_attribute(attributes.read, attributes.write)
    return attributes
