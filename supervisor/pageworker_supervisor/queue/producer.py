"""The producer's part of the queue: jobs and texts come in, limits change."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.messagepack import opaque
from pageworker_supervisor.queue.new_job import NewJob
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.outbox import Outbox
from pageworker_supervisor.queue.quota_limits import QuotaLimits, limits_text, share_of
from pageworker_supervisor.queue.rejected_text import described, rejected_event
from pageworker_supervisor.queue.retention import retention_request
from pageworker_supervisor.queue.shards import Shards, batches

JOBS_PER_CALL = 64

Enqueued = Literal["queued", "duplicate"]


class JobProducer:
    """Puts jobs into the queue. Every method may be repeated. Raises RedisClientError."""

    def __init__(self, shards: Shards, options: QueueOptions, outbox: Outbox) -> None:
        self._shards = shards
        self._dead_text_bytes = options.dead_text_bytes
        self._retention = retention_request(options, cluster=shards.functions.cluster)
        self._outbox = outbox

    async def enqueue(self, jobs: Sequence[NewJob], reading: str = "") -> list[Enqueued]:
        """Queue jobs. An id that waits, runs, or has ended within its result's time to live is a duplicate.

        A duplicate of a job that has ended gets the stored result on its own callback. `reading` names this reading of
        the texts where it is certainly their first: a text that may have been read before is not answered again.
        """
        replies: list[Enqueued] = ["duplicate"] * len(jobs)

        async def on(shard: int, indices: Sequence[int]) -> None:
            for batch in batches(indices, JOBS_PER_CALL):
                requests = [jobs[index].request(len(self._shards), reading) for index in batch]
                words = await self._shards.settled_call(shard, "enqueue", jobs=requests)
                for index, word in zip(batch, words, strict=True):
                    if word == b"queued":
                        replies[index] = "queued"
                    elif word == b"answered":
                        self._outbox.announce()

        await self._shards.by_tenant([job.tenant_id for job in jobs], on)
        return replies

    async def set_limits(
        self, tenants: Mapping[str, QuotaLimits], domains: Mapping[str, QuotaLimits] | None = None
    ) -> None:
        """New limits for tenants and domains that have jobs. Others get theirs with their next job."""
        count = len(self._shards)
        everywhere = {name: limits_text(share_of(limits, count)) for name, limits in (domains or {}).items()}
        for shard in range(count):
            here = {name: limits_text(limits) for name, limits in tenants.items() if self._shards.of(name) == shard}
            if here or everywhere:
                await self._shards.call(shard, "set_limits", tenants=here, domains=everywhere)

    async def reject(
        self,
        raw: bytes,
        reason: str,
        identity: JobRef | None = None,
        result: bytes | None = None,
        callback: str | None = None,
        reading: str = "",
    ) -> bool:
        """Keep a text that is no valid job as a dead letter, and its sender's result where the sender is known.

        `identity`: the job that the text names. True: `result` is now that job's result. False: the sender is not
        known, or the id is used. An id that is not used stays free. `reading` as for `enqueue`.
        """
        push, told = await described(raw, reading, self._dead_text_bytes)
        request: dict[str, object] = {
            "retention": self._retention,
            "push": push,
            "text": opaque(raw[: self._dead_text_bytes]),
            "reason": "rejected",
            "letter": opaque(msgspec.json.encode({"reason": reason, **told})),
        }
        if identity is None:
            await self._shards.settled_call(0, "reject", **request)
            return False
        request |= {
            "ref": str(identity),
            "tenant": identity.tenant_id,
            "result": None if result is None else opaque(result),
            "callback_url": callback,
            "event": opaque(rejected_event(identity, reason)),
        }
        shard = self._shards.of(identity.tenant_id)
        stored = bool(await self._shards.settled_call(shard, "reject", **request))
        if stored:
            await self._outbox.deliver_stored(shard, push, identity, result or b"", callback)
        return stored
