"""Counts and budgets of one runner. Pure."""

import mmap
from collections import Counter

from pageworker_sandbox.egress.messages import Reason, Usage
from pageworker_sandbox.egress.shared_counts import Count, OverBudget, own_words


class Meter:
    """Counts what a runner has used, and decides whether it may use more.

    A runner is over its budget once something was refused for it. From then on it gets nothing, until it has another
    budget. So a runner that has used exactly its budget is not over it.
    """

    def __init__(
        self, budget_bytes: int | None = None, words: memoryview | None = None, budget_requests: int | None = None
    ) -> None:
        """`words`: where the counts are kept (`shared_counts`). None: in memory of its own."""
        self._words = own_words() if words is None else words
        self._budget = budget_bytes, budget_requests
        self._turn = 0
        self._began_at = self._counts
        self._last_byte, self._last_request = self._limits
        self._refused: Counter[Reason] = Counter()
        self._upstream = ""

    @property
    def over(self) -> bool:
        """Whether the runner wanted more than its budget: it gets nothing more."""
        return self._words[Count.OVER_BUDGET] != OverBudget.NONE

    def set_budget(self, budget_bytes: int | None, budget_requests: int | None = None, turn: int = 0) -> None:
        """Replace both budgets. The counts stay. With another `turn`, only what is used from now on counts."""
        budget = budget_bytes, budget_requests
        if (budget, turn) == (self._budget, self._turn):
            return
        if turn != self._turn:
            self._turn, self._began_at = turn, self._counts
        self._budget = budget
        self._last_byte, self._last_request = self._limits
        self._words[Count.OVER_BUDGET] = OverBudget.NONE

    def leave_words(self) -> None:
        """Keep the counts in memory of its own from now on, and close the shared memory: mmap holds a descriptor."""
        shared, self._words = self._words, own_words()
        self._words[:] = shared
        mapping = shared.obj
        shared.release()
        if isinstance(mapping, mmap.mmap):
            mapping.close()

    def count_request(self) -> None:
        """The runner made a request. It must be refused if the runner is `over` its budget now."""
        self._words[Count.REQUESTS] += 1
        if self.over:
            return
        if self._last_request is not None and self._words[Count.REQUESTS] > self._last_request:
            self._words[Count.OVER_BUDGET] = OverBudget.REQUESTS
        elif self._last_byte is not None and self._used_bytes >= self._last_byte:
            self._words[Count.OVER_BUDGET] = OverBudget.BYTES

    def count_refusal(self, reason: Reason) -> None:
        """A request was refused."""
        self._refused[reason] += 1

    def used(self, upstream: str) -> None:
        """A request went through this upstream proxy, `host:port`. `direct`: it went out without one."""
        self._upstream = upstream

    def send(self, count: int) -> int:
        """Count bytes for an origin. Returns how many of them to send: all or, past the budget, none."""
        permitted = count if self._permitted(count) == count else 0
        self._words[Count.UP_BYTES] += permitted
        return permitted

    def receive(self, count: int) -> int:
        """Count bytes from an origin. Returns how many of them to pass on: past the budget not all, perhaps none."""
        permitted = self._permitted(count)
        self._words[Count.DOWN_BYTES] += permitted
        return permitted

    def usage(self, connections: int) -> Usage:
        """The counts, for the supervisor."""
        return Usage(
            up_bytes=self._words[Count.UP_BYTES],
            down_bytes=self._words[Count.DOWN_BYTES],
            requests=self._words[Count.REQUESTS],
            connections=connections,
            refused=dict(self._refused),
            upstream=self._upstream,
        )

    def _permitted(self, count: int) -> int:
        if self.over:
            return 0
        left = count if self._last_byte is None else self._last_byte - self._used_bytes
        if count <= left:
            return count
        self._words[Count.OVER_BUDGET] = OverBudget.BYTES
        return max(0, left)

    @property
    def _counts(self) -> tuple[int, int]:
        return self._used_bytes, self._words[Count.REQUESTS]

    @property
    def _limits(self) -> tuple[int | None, int | None]:
        """The budgets as counts since Attach."""
        used_bytes, used_requests = self._began_at
        budget_bytes, budget_requests = self._budget
        return (
            None if budget_bytes is None else used_bytes + budget_bytes,
            None if budget_requests is None else used_requests + budget_requests,
        )

    @property
    def _used_bytes(self) -> int:
        used: int = self._words[Count.UP_BYTES] + self._words[Count.DOWN_BYTES]
        return used
