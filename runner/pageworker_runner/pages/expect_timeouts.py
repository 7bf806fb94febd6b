"""The timeout of `expect`, which `expect.set_options` sets for the whole process: here it counts for one attempt.

What a module sets while it is imported counts for all its attempts.
"""

from pageworker_runner.pages.playwright_internals import intercept_expect_timeout
from pageworker_runner.task_ownership import CURRENT_ATTEMPT


class ExpectTimeouts:
    """Milliseconds by attempt. None: Playwright's default."""

    def __init__(self) -> None:
        self._by_attempt: dict[str | None, float | None] = {}

    def install(self) -> None:
        """Have `expect` ask this object, for the rest of the process."""
        intercept_expect_timeout(lambda: self.get(CURRENT_ATTEMPT.get()), self._set)

    def get(self, attempt_id: str | None) -> float | None:
        """The timeout of one attempt."""
        return self._by_attempt.get(attempt_id)

    def begin(self, attempt_id: str, timeout: float | None) -> None:
        """The attempt's handler begins, with what its module has set."""
        self._by_attempt[attempt_id] = timeout

    def end(self, attempt_id: str) -> None:
        """The attempt has ended."""
        self._by_attempt.pop(attempt_id, None)

    def _set(self, timeout: float | None) -> None:
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is not None:
            self._by_attempt[attempt_id] = timeout
