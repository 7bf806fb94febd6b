"""How the queue keeps results, and how safe a write must be before it counts."""

from msgspec import Struct, structs

from pageworker_supervisor.config.settings import Settings

LEASE_MS = 45_000
"""A worker that was silent for this time has lost its jobs and its profiles."""
OUTBOX_LEASE_MS = 60_000
"""An outbox entry that its taker has neither ended nor postponed within this time comes back."""


class QueueOptions(Struct, frozen=True, kw_only=True):
    """All workers of a prefix must agree on `lease_ms` and `outbox_lease_ms`. Tests use shorter ones."""

    result_ttl_seconds: int = 86_400
    stream_length: int = 100_000
    """Newest results kept in a shard's stream, approximately."""
    dead_length: int = 100_000
    dead_bytes: int = 256 * 1024 * 1024
    """Bounds of a shard's dead letters: entries, and bytes of all together."""
    rejected_length: int = 10_000
    rejected_bytes: int = 32 * 1024 * 1024
    """Bounds of the stored results of one tenant's rejected jobs: number, and bytes of all together."""
    dead_text_bytes: int = 16 * 1024
    """This much is kept of a text that is no job."""
    cancel_memory_seconds: int = 86_400
    """How long the queue remembers the cancellation of a job that it does not know."""
    replicas: int = 0
    """A job is enqueued, ended and delivered once this many replicas have the write: a failover forgets none of
    them."""
    replica_wait_seconds: float = 1.0
    replica_patience_seconds: float = 30.0
    """After replicas were missing for this time, writes count without them."""
    lease_ms: int = LEASE_MS
    outbox_lease_ms: int = OUTBOX_LEASE_MS
    test_clock: bool = False
    """Use the key `{shard}:clock` as an offset, so that tests need not sleep. A library of its own."""


def queue_options(settings: Settings, given: QueueOptions) -> QueueOptions:
    """The options of the queue with what these settings say."""
    return structs.replace(
        given,
        result_ttl_seconds=settings.results.ttl_seconds,
        stream_length=settings.results.stream_length,
        dead_length=settings.results.dead_length,
        dead_bytes=settings.results.dead_bytes,
        rejected_length=settings.results.rejected_length,
        rejected_bytes=settings.results.rejected_bytes,
        dead_text_bytes=settings.results.dead_text_bytes,
        cancel_memory_seconds=settings.jobs.cancel_memory_seconds,
    )
