"""What the gateway tells the supervisor of one runner: a limited number, whatever the runner does. Pure."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pageworker_sandbox.wire.token_bucket import TokenBucket

T = TypeVar("T")


class LimitedQueue(Generic[T]):
    """Unsent messages. At most `burst` wait, and `rate` per second are added. Those above it are left out and counted.

    The caller passes the time in, in seconds of any monotonic clock.
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._bucket = TokenBucket(rate, burst, now)
        self._unsent: deque[T] = deque()
        self._burst = burst
        self._left_out = 0

    def add(self, message: Callable[[int], T], now: float, *, always: bool = False) -> bool:
        """Add `message(left_out)`. `left_out`: how many messages were left out before it. False: this one is, too.

        `always`: it is not left out. The caller limits how many of these there are.
        """
        if not always and (len(self._unsent) >= self._burst or not self._bucket.take(now)):
            self._left_out += 1
            return False
        self._unsent.append(message(self._left_out))
        self._left_out = 0
        return True

    def drain(self) -> list[T]:
        """Remove and return all unsent messages, oldest first."""
        messages = list(self._unsent)
        self._unsent.clear()
        return messages
