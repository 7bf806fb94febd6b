"""The operator's part of the queue: listings, numbers, results, cancellation."""

from typing import cast

from msgspec import Struct

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.demand import ShardDemand, demand_from
from pageworker_supervisor.queue.functions import Shards, opaque, unpacked
from pageworker_supervisor.queue.job_details import JobDetails, read_details
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.queue.listing import JOBS_PER_PAGE, JobListing
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.views import CancelReply, JobPage, ListedState, ShardStats, stats_from

PROGRESS_FIELDS = ("state", "worker", "attempts_used", "crashes", "cancel_requested", "defer_reason")


class QueuedJobState(Struct, frozen=True, kw_only=True):
    """The state of one job without a result. `why`: why a worker put it off, or that it is being cancelled."""

    state: str
    worker_id: str | None
    attempts_used: int
    crashes: int
    why: str | None


class QueueInspection:
    """Shows what is in the queue, and cancels jobs. All methods raise RedisClientError."""

    def __init__(self, shards: Shards, options: Live[QueueOptions]) -> None:
        self._shards = shards
        self._options = options
        self._listing = JobListing(shards)

    async def cancel(self, ref: JobRef) -> CancelReply:
        """Cancel a job: at once where it waits, through its worker where it runs, when it comes if it is not known."""
        # Settled: a failover must not undo an acknowledged cancellation.
        memory_ms = self._options.value.cancel_memory_seconds * 1000
        reply: bytes = await self._shards.settled_call(
            self._shards.of(ref.tenant_id), "cancel", ref=str(ref), memory_ms=memory_ms
        )
        # The function replies one of these words.
        return cast(CancelReply, reply.decode())

    async def result(self, ref: JobRef) -> bytes | None:
        """A job's result, while it is kept."""
        key = f"{self._shards.prefix}:result:{ref.colon_form}"
        value: bytes | None = await self._shards.functions.command("GET", key, key=key)
        return value

    async def progress(self, ref: JobRef) -> QueuedJobState | None:
        """Where a job without a result is. None: it has no record."""
        base = self._shards.roots[self._shards.of(ref.tenant_id)]
        key = shard_key(base, "job", str(ref))
        values = await self._shards.functions.command("HMGET", key, *PROGRESS_FIELDS, key=base)
        state, worker, used, crashes, cancelled, why = (None if value is None else value.decode() for value in values)
        if state is None:
            return None
        return QueuedJobState(
            state=state,
            worker_id=worker,
            attempts_used=int(used or 0),
            crashes=int(crashes or 0),
            why="cancellation requested" if cancelled else why,
        )

    async def details(self, ref: JobRef) -> JobDetails | None:
        """All that is known of a job, its history included; None: nothing."""
        return await read_details(self._shards, ref, self.result)

    async def jobs(
        self,
        state: ListedState | None = None,
        tenant_id: str | None = None,
        cursor: str | None = None,
        count: int = JOBS_PER_PAGE,
    ) -> JobPage:
        """At most `count` of the jobs, in no order; go on with `cursor` until it is None. A page may be empty.

        Costs what it lists. Raises ValueError for a cursor that no listing has given.
        """
        return await self._listing.page(state, tenant_id, cursor, count)

    async def stats(self) -> list[ShardStats]:
        """Numbers of each shard."""
        return [
            stats_from(unpacked(await self._shards.call(shard, "stats")), shard) for shard in range(len(self._shards))
        ]

    async def demand(self, shard: int, position: str, count: int, *, pages: int, horizon_ms: int) -> ShardDemand:
        """What a further worker could start on one shard, within `horizon_ms`. `pages`: per runner.

        Looks at `count` backlogs after `position`.
        """
        reply = await self._shards.call(
            shard, "demand", position=position, count=count, pages=pages, horizon_ms=horizon_ms
        )
        return demand_from(unpacked(reply))

    async def add_scaling_sample(self, slot_ms: int, text: bytes, after_ms: int) -> tuple[bool, list[bytes]]:
        """Keep what a fleet process saw in the interval that begins at `slot_ms`, unless another one came first.

        b"": only read. Returns whether samples that the caller has are of another time, because Redis' clock went back,
        and the samples that are newer than `after_ms`.
        """
        reply = await self._shards.call(0, "scaling_sample", slot_ms=slot_ms, text=opaque(text), after_ms=after_ms)
        return unpacked(reply)["reset"], reply[1:]

    async def check_consistency(self) -> list[str]:
        """Contradictions in the derived state, one line each. Looks at every key."""
        return [
            f"shard {shard}: {line.decode()}"
            for shard in range(len(self._shards))
            for line in await self._shards.call(shard, "check_consistency")
        ]
