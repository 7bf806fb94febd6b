"""What delivery needs from the queue: promises to take, and four words to say about each."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pageworker_supervisor.queue.outbox import OutboxEntry

T = TypeVar("T")

__all__ = ["OutboxClient", "OutboxEntry", "RetriesRedis"]


class OutboxClient(Protocol):
    """Promised callbacks. A promise is held for a lease; what is not settled by then comes again.

    Every call may raise the queue's Unavailable and can then be repeated.
    """

    async def outbox_take(self, worker_id: str, count: int, block_ms: int) -> Sequence[OutboxEntry]:
        """At most `count` promises that are due; waits at most `block_ms` for the first."""

    async def outbox_done(self, promises: Sequence[OutboxEntry]) -> object:
        """They are delivered."""

    async def outbox_later(self, promise: OutboxEntry, delay_ms: int) -> object:
        """Try again after so long."""

    async def outbox_failed(self, promise: OutboxEntry, event: bytes) -> object:
        """Given up; the event says so. The result stays readable."""


class RetriesRedis(Protocol):
    """Whether Redis can be spoken to."""

    async def retry_until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call until Redis serves it."""
