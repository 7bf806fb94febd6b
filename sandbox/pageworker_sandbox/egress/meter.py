"""Counts and byte budget of one runner. Pure."""

import mmap
from collections import Counter

from pageworker_sandbox.egress.messages import Reason, Usage
from pageworker_sandbox.egress.shared_counts import Count, own_words


class Meter:
    """Counts what a runner has used, and decides whether it may use more."""

    def __init__(self, budget_bytes: int | None = None, words: memoryview | None = None) -> None:
        """`words`: where the counts are kept (`shared_counts`). None: in memory of its own."""
        self._budget_bytes = budget_bytes
        self._words = own_words() if words is None else words
        self._refused: Counter[Reason] = Counter()
        self._upstream = ""

    @property
    def exhausted(self) -> bool:
        """Whether the byte budget is used up."""
        return self._budget_bytes is not None and self._used_bytes >= self._budget_bytes

    def set_budget(self, budget_bytes: int | None) -> None:
        """Replace the byte budget. The counts stay."""
        self._budget_bytes = budget_bytes

    def leave_words(self) -> None:
        """Keep the counts in memory of its own from now on, and close the shared memory: mmap holds a descriptor."""
        shared, self._words = self._words, own_words()
        self._words[:] = shared
        mapping = shared.obj
        shared.release()
        if isinstance(mapping, mmap.mmap):
            mapping.close()

    def count_request(self) -> None:
        """The runner made a request."""
        self._words[Count.REQUESTS] += 1

    def count_refusal(self, reason: Reason) -> None:
        """A request was refused."""
        self._refused[reason] += 1

    def used(self, upstream: str) -> None:
        """A request went through this upstream proxy, `host:port`. `direct`: it went out without one."""
        self._upstream = upstream

    def send(self, count: int) -> bool:
        """Count bytes for an origin. False: the budget is used up, do not send them."""
        if self.exhausted:
            return False
        self._words[Count.UP_BYTES] += count
        return True

    def receive(self, count: int) -> bool:
        """Count bytes from an origin. False: the budget is used up, drop them and the connection."""
        if self.exhausted:
            return False
        self._words[Count.DOWN_BYTES] += count
        return True

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

    @property
    def _used_bytes(self) -> int:
        used: int = self._words[Count.UP_BYTES] + self._words[Count.DOWN_BYTES]
        return used
