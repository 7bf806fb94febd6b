"""What delivery needs from the queue: entries to take, and the ways to settle them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pageworker_supervisor.queue.outbox import OutboxEntry

T = TypeVar("T")

__all__ = ["OutboxClient", "OutboxEntry", "RetriesRedis"]


class OutboxClient(Protocol):
    """The stored callbacks. An entry is held for the time of a lease. If it is not settled by then, it is given out
    again.

    Every call may raise RedisUnavailable and can then be repeated. `facts`: JSON of how the try went, for the job's
    history.
    """

    async def take(self, count: int, block_ms: int) -> Sequence[OutboxEntry]:
        """At most `count` entries that are due. Waits at most `block_ms` for the first."""

    async def done(self, entries: Sequence[OutboxEntry], facts: Sequence[bytes] = ()) -> object:
        """These entries are delivered. `facts`: of each, or nothing."""

    async def later(
        self, entry: OutboxEntry, delay_ms: int, facts: bytes | None = None, *, failed: bool = False
    ) -> object:
        """Try again in `delay_ms` milliseconds. `failed`: the receiver was tried."""

    async def failed(
        self, entry: OutboxEntry, event: bytes, facts: bytes | None = None, *, gone: bool = False
    ) -> object:
        """Give up, and publish this event. The result stays readable. `gone`: the receiver of a subscription wants no
        more."""


class RetriesRedis(Protocol):
    """Repeats calls while Redis does not serve them."""

    async def retry_until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call until Redis serves it."""
