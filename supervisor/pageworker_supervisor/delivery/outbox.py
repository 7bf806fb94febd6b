"""What delivery needs from the queue: entries of the outbox, and what to do with each."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pageworker_supervisor.queue.outbox import OutboxEntry

T = TypeVar("T")

__all__ = ["OutboxClient", "OutboxEntry", "RetriesRedis"]


class OutboxClient(Protocol):
    """Entries of the outbox. An entry is held for a lease; one that is not settled by then comes again.

    Every call may raise RedisUnavailable and can then be repeated.
    """

    async def take(self, count: int, block_ms: int) -> Sequence[OutboxEntry]:
        """At most `count` entries that are due; waits at most `block_ms` for the first."""

    async def done(self, entries: Sequence[OutboxEntry]) -> object:
        """They are delivered."""

    async def later(self, entry: OutboxEntry, delay_ms: int) -> object:
        """Try again after so long."""

    async def failed(self, entry: OutboxEntry, event: bytes) -> object:
        """Given up: the event is published, the result stays readable."""


class RetriesRedis(Protocol):
    """Repeats calls until Redis serves them."""

    async def retry_until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call until Redis serves it."""
