"""Batches: opened, closed, shown, cancelled, and their failed jobs queued again. All methods raise RedisClientError."""

from collections.abc import AsyncIterator
from typing import Any, Literal, cast

from msgspec import Struct

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.batch import BatchRef, BatchSpec
from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.queue.batch_tables import STATUSES
from pageworker_supervisor.queue.dead_letters import DeadLetters
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.outbox import Outbox

LOOKED_AT_PER_CALL = 64

BatchOpened = Literal["opened", "same", "exists", "full"]
"""`same`: it was opened before with the same parameters. `exists`: with others. `full`: its tenant has as many batches
as are kept."""
ListedBatchState = Literal["open", "closed", "complete"]


class BatchView(Struct, frozen=True, kw_only=True):
    """One batch. Instants are milliseconds since the epoch. `counts`: jobs that wait, that run, and by status."""

    batch_id: str
    tenant_id: str
    state: ListedBatchState
    size: int | None
    job_count: int
    complete_on: str
    called_back: bool
    round: int
    created_at_ms: int
    deadline_at_ms: int
    completed_at_ms: int | None
    reason: str | None
    counts: dict[str, int]

    @property
    def ref(self) -> BatchRef:
        """The batch's reference."""
        return BatchRef(self.tenant_id, self.batch_id)


class BatchPage(Struct, frozen=True):
    """A page of batches. `cursor` is None at the end."""

    batches: tuple[BatchView, ...]
    cursor: str | None


class BatchJob(Struct, frozen=True, kw_only=True):
    """One job of a batch. `status`: of its result; None: it has not ended."""

    job_id: str
    running: bool
    status: Status | None


class BatchJobPage(Struct, frozen=True):
    """A page of the jobs of a batch, in the order in which they came. `after` is None at the end."""

    jobs: tuple[BatchJob, ...]
    after: int | None


class BatchCancelled(Struct, frozen=True):
    """How many cancellations of jobs hold."""

    count: int


class BatchRetried(Struct, frozen=True):
    """How many failed jobs were queued again, and how many were not: their dead letters are not kept any more."""

    queued: int
    left: int


class Batches:
    """The batches of a tenant are on its shard."""

    def __init__(self, shards: Shards, options: Live[QueueOptions], letters: DeadLetters, outbox: Outbox) -> None:
        self._shards = shards
        self._options = options
        self._letters = letters
        self._outbox = outbox

    async def open(self, tenant_id: str, spec: BatchSpec) -> BatchOpened:
        """Open a batch. The same call again changes nothing."""
        reply: bytes = await self._shards.settled_call(
            self._shards.of(tenant_id),
            "batch_open",
            tenant=tenant_id,
            batch=spec.batch_id,
            digest=spec.digest,
            size=spec.size or "",
            complete_on=spec.complete_on,
            callback_url=spec.callback_url or "",
            deadline_ms=round(spec.deadline_seconds * 1000),
            keep_ms=self._options.value.result_ttl_seconds * 1000,
        )
        # The function replies one of these words.
        return cast(BatchOpened, reply.decode())

    async def show(self, ref: BatchRef) -> BatchView | None:
        """One batch; None: it is not known."""
        reply = unpacked(await self._shards.call(self._shards.of(ref.tenant_id), "batch_show", ref=str(ref)))
        return _view(reply["batch"]) if reply["known"] else None

    async def page(self, count: int = 100, cursor: str | None = None, tenant_id: str | None = None) -> BatchPage:
        """At most `count` batches, by name within a shard; with `tenant_id` only that tenant's."""
        first = 0 if tenant_id is None else self._shards.of(tenant_id)
        text, _, position = (cursor or f"{first}:").partition(":")
        shard = int(text)
        reply = unpacked(
            await self._shards.call(shard, "batch_list", tenant=tenant_id or "", position=position, limit=count)
        )
        batches = tuple(map(_view, reply["batches"]))
        if reply["position"]:
            return BatchPage(batches, f"{shard}:{reply['position']}")
        last = tenant_id is not None or shard + 1 >= len(self._shards)
        return BatchPage(batches, None if last else f"{shard + 1}:")

    async def jobs(self, ref: BatchRef, after: int = 0, count: int = 1000) -> BatchJobPage:
        """At most `count` jobs of a batch after this number."""
        shard = self._shards.of(ref.tenant_id)
        reply = unpacked(await self._shards.call(shard, "batch_jobs", ref=str(ref), after=after, limit=count))
        rows = tuple(
            BatchJob(job_id=row["id"], running=row["running"], status=row.get("status")) for row in reply["jobs"]
        )
        return BatchJobPage(rows, reply.get("after"))

    async def close(self, ref: BatchRef) -> bool:
        """No further job is added. False: the batch is not known."""
        return await self._close(ref) != b"unknown"

    async def cancel(self, ref: BatchRef) -> BatchCancelled | None:
        """Cancel the jobs of a batch that have not ended; it takes no more. None: it is not known.

        If the caller is lost amid, a worker goes on with it.
        """
        count, more = 0, True
        while more:
            reply = unpacked(
                await self._shards.settled_call(self._shards.of(ref.tenant_id), "batch_cancel", ref=str(ref))
            )
            if not reply["known"]:
                return None
            count, more = count + reply["count"], reply["more"]
            if reply["completed"]:
                self._outbox.announce()
        return BatchCancelled(count)

    async def retry(self, ref: BatchRef) -> BatchRetried | None:
        """Queue the failed jobs of a batch again, in a further round if it was complete. None: it is not known.

        If the caller is lost amid, the batch stays open: call this again, or close it.
        """
        shard = self._shards.of(ref.tenant_id)
        view = await self.show(ref)
        if view is None:
            return None
        failed = sum(view.counts[status] for status in STATUSES if status in _RETRIED)
        entries = [entry async for entry in self._entries(shard, ref)]
        interrupted = view.state == "open" and view.round > 1
        if not entries and not interrupted:
            return BatchRetried(0, failed)
        word: bytes = await self._shards.settled_call(shard, "batch_retry", ref=str(ref))
        replies = await self._letters.retry([f"{shard}-{entry}" for entry in entries])
        if word == b"reopened":
            await self._close(ref, reopened=True)
        queued = sum(reply == "queued" for reply in replies.values())
        return BatchRetried(queued, max(0, failed - queued))

    async def _close(self, ref: BatchRef, **request: bool) -> bytes:
        reply: bytes = await self._shards.settled_call(
            self._shards.of(ref.tenant_id), "batch_close", ref=str(ref), **request
        )
        if reply == b"completed":
            self._outbox.announce()
        return reply

    async def _entries(self, shard: int, ref: BatchRef) -> AsyncIterator[str]:
        after = -1
        while after:
            reply = await self._shards.call(
                shard, "batch_letters", ref=str(ref), after=max(0, after), limit=LOOKED_AT_PER_CALL
            )
            for entry, _ in reply[1:]:
                yield entry.decode()
            after = unpacked(reply)["after"]


_RETRIED = frozenset({"failed", "timed_out", "dead", "rejected"})
"""Statuses of jobs that have dead letters: DEAD_LETTERED of dispatch/settlement.py."""


def _view(row: dict[str, Any]) -> BatchView:
    return BatchView(
        batch_id=row["batch_id"],
        tenant_id=row["tenant_id"],
        state=row["state"],
        size=row.get("size"),
        job_count=row["job_count"],
        complete_on=row["complete_on"],
        called_back=row["called_back"],
        round=row["round"],
        created_at_ms=row["created_at"],
        deadline_at_ms=row["deadline_at"],
        completed_at_ms=row.get("completed_at"),
        reason=row.get("reason"),
        counts=row["counts"],
    )
