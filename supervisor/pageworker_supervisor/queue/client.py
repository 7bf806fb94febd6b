"""The queue, as the rest of the supervisor sees it. Every method may be said twice.

All of them raise Unavailable when Redis cannot serve now (say it again later), and Refused when it never will.
"""

import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.queue.claim import ClaimCalls
from pageworker_supervisor.queue.codec import (
    ending_args,
    limits_text,
    share_of,
    stats_from,
    ticket_args,
)
from pageworker_supervisor.queue.dead_letters import DeadLetters
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.listing import JOBS_PER_PAGE, JobListing
from pageworker_supervisor.queue.options import (
    Cancelled,
    Capacity,
    Claimed,
    DeadLetter,
    DeadLetterPage,
    Enqueued,
    FinishRequest,
    HeartbeatReply,
    JobPage,
    JobPatch,
    JobState,
    Lease,
    NewJob,
    OutboxEntry,
    QueueOptions,
    QuotaLimits,
    Reaped,
    Revived,
    ShardStats,
    Wakeup,
)
from pageworker_supervisor.queue.outbox import Outbox
from pageworker_supervisor.queue.rejected_text import described, rejected_event
from pageworker_supervisor.queue.wakeup import WakeupWaiter
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.router import Argument, Router
from pageworker_supervisor.redis_client.sharding import root, shard_of

QUEUED, PROMISED = 1, 2
"""What `enqueue` answers, besides 0."""
LOST, STORED, CANCELLED_BEFORE = 0, 1, 2
"""What `finish` answers."""
JOBS_PER_CALL = 64
LEASES_PER_CALL = 128
REAPED_PER_CALL = 64


class QueueClient:
    """One client of the queue, over the router of a Redis client."""

    def __init__(
        self,
        router: Router,
        *,
        prefix: str = "pw",
        shards: int = 1,
        options: QueueOptions = QueueOptions(),
    ) -> None:
        self.prefix = prefix
        self.shards = shards
        self.options = options
        self._roots = [root(prefix, shard) for shard in range(shards)]
        self._calls = FunctionCalls(router, prefix, options)
        self._ttl_ms = options.result_ttl_seconds * 1000
        self._waiting = WakeupWaiter(router, self._calls, prefix, shards)
        self._claiming = ClaimCalls(self._calls, self._waiting, self._roots)
        self._outbox = Outbox(self._calls, prefix, shards, self._ttl_ms)
        self._letters = DeadLetters(self._calls, prefix, shards)
        self._listing = JobListing(self._calls, self._roots)

    async def load(self) -> None:
        """Put the functions on every primary. Calls do it by themselves where they are missing."""
        await self._calls.load()

    def function(self, name: str) -> str:
        """The name under which Redis knows one of the functions."""
        return self._calls.library.function(name)

    # -- in

    async def enqueue(self, tickets: Sequence[NewJob], reading: str = "") -> list[Enqueued]:
        """Queue jobs; an id that is queued, running or finished within its result's life is a duplicate.

        A duplicate of a job that has ended gets the stored result on its own callback. `reading` names this reading of
        the texts where it is certainly their first: a text that may have been read before is not told again.
        """
        replies: list[Enqueued] = ["duplicate"] * len(tickets)

        async def on(shard: int, places: Sequence[int]) -> None:
            for batch in _batches(places, JOBS_PER_CALL):
                args = itertools.chain.from_iterable(ticket_args(tickets[at], self.shards, reading) for at in batch)
                said = await self._calls.settled_call("enqueue", self._roots[shard], *args)
                for at, word in zip(batch, said, strict=True):
                    replies[at] = "queued" if word == QUEUED else "duplicate"
                if PROMISED in said:
                    self._outbox.announce()

        await self._everywhere(on, self._by_shard([ticket.tenant_id for ticket in tickets]))
        return replies

    async def set_limits(
        self, tenants: Mapping[str, QuotaLimits], domains: Mapping[str, QuotaLimits] | None = None
    ) -> None:
        """New limits for tenants and domains that have jobs. Others get theirs with their next job."""
        for shard in range(self.shards):
            args: list[Argument] = []
            for name, limits in tenants.items():
                if shard_of(name, self.shards) == shard:
                    args += ("t", name, limits_text(limits))
            for name, limits in (domains or {}).items():
                args += ("d", name, limits_text(share_of(limits, self.shards)))
            if args:
                await self._on(shard, "set_limits", *args)

    async def reject(
        self,
        raw: bytes,
        reason: str,
        identity: JobRef | None = None,
        result: bytes | None = None,
        callback: str | None = None,
        reading: str = "",
    ) -> bool:
        """Keep a text that is no valid job as a dead letter, and its sender's result where it can be told.

        `identity` is what the text names itself. True: `result` is now that job's result; False: there was nobody to
        tell, or the id is used. An id that is not used stays free. `reading` as for `enqueue`.
        """
        ref, tenant = (str(identity), identity.tenant_id) if identity else ("", "")
        push, told = await described(raw, reading, self.options.dead_text_bytes)
        event = rejected_event(identity, reason) if identity else b""
        shard = shard_of(tenant, self.shards) if identity else 0
        kept = raw[: self.options.dead_text_bytes]
        letter = msgspec.json.encode({"reason": reason, **told})
        stored = await self._calls.settled_call(
            "reject", self._roots[shard], *self._terms(), push, kept, "rejected", letter, ref, tenant,
            result or b"", callback or "", event,
        )  # fmt: skip
        if stored and identity:
            await self._keep(shard, push, identity, result or b"", callback)
        return bool(stored)

    # -- work

    async def claim(self, worker_id: str, capacity: Capacity) -> Claimed:
        """The next jobs in fairness that this worker has a place for; at most `capacity.limit`, verdicts aside."""
        return await self._claiming.claim(worker_id, capacity)

    async def wait(self, worker_id: str, timeout_seconds: float) -> Wakeup:
        """Sleep until there may be work for this worker, or a message, or the time is up."""
        return await self._waiting.wait(worker_id, timeout_seconds)

    async def heartbeat(
        self, worker_id: str, leases: Sequence[Lease], profiles: Iterable[tuple[str, str, int]] = ()
    ) -> HeartbeatReply:
        """Extend leases and profile locks, each (tenant, profile, fence), by 45 s."""
        lost: set[str] = set()
        cancelled: set[str] = set()
        gone: set[tuple[str, str]] = set()
        asked: set[tuple[str, str]] = set()
        held = list(profiles)
        for shard in range(self.shards):
            mine = [profile for profile in held if shard_of(profile[0], self.shards) == shard]
            batches = list(_batches([lease for lease in leases if lease.shard == shard], LEASES_PER_CALL)) or [[]]
            for nth, batch in enumerate(batches):
                locks = mine if nth == 0 else []
                args = [word for lease in batch for word in (str(lease.ref), lease.token)]
                names = [word for profile in locks for word in profile]
                reply = await self._on(shard, "heartbeat", worker_id, len(batch), *args, *names)
                lost.update(token.decode() for token in reply[0])
                cancelled.update(token.decode() for token in reply[1])
                gone.update(locks[place - 1][:2] for place in reply[2])
                asked.update(locks[place - 1][:2] for place in reply[3])
        return HeartbeatReply(frozenset(lost), frozenset(cancelled), frozenset(gone), frozenset(asked))

    async def finish(self, lease: Lease, ending: FinishRequest) -> bool:
        """The job's one result. False: the lease was lost, somebody else answers."""
        (said,) = await self._finish([(lease, ending)])
        if said == CANCELLED_BEFORE:
            raise CancelHolds(lease.job_id)
        return said == STORED

    async def finish_many(self, ends: Sequence[tuple[Lease, FinishRequest]]) -> list[bool]:
        """As `finish`, one call a shard. False also where a cancellation was acknowledged before."""
        return [said == STORED for said in await self._finish(ends)]

    async def _finish(self, ends: Sequence[tuple[Lease, FinishRequest]]) -> list[int]:
        replies = [LOST] * len(ends)

        async def on(shard: int, places: Sequence[int]) -> None:
            for batch in _batches(places, LEASES_PER_CALL):
                args = itertools.chain.from_iterable(ending_args(*ends[at]) for at in batch)
                said = await self._calls.settled_call("finish", self._roots[shard], *self._terms(), *args)
                for at, kept in zip(batch, said, strict=True):
                    replies[at] = kept
                    if kept == STORED:
                        lease, ending = ends[at]
                        await self._keep(shard, lease.token, lease.ref, ending.result, ending.callback)

        await self._everywhere(on, self._by_shard([lease.tenant_id for lease, _ in ends]))
        return replies

    async def begin(self, lease: Lease) -> bool:
        """A handler of this job has begun: it does not expire any more. False: the lease was lost."""
        return await self._lease(lease, "begin")

    # In what puts a job back, `begun` says whether a handler of it had begun in this lease. Until one has, it expires.

    async def retry(
        self, lease: Lease, delay_ms: int, attempt: bytes, events: Sequence[bytes] = (), *, begun: bool = True
    ) -> bool:
        """Again after `delay_ms`; the attempt (JSON) is used up. False: the lease was lost."""
        return await self._lease(lease, "retry", int(begun), delay_ms, attempt, *events)

    async def crash(
        self, lease: Lease, delay_ms: int, attempt: bytes, events: Sequence[bytes] = (), *, begun: bool = False
    ) -> bool:
        """The job's runner died: counted as a crash, not as an attempt; the third is its end."""
        return await self._lease(lease, "crash", int(begun), delay_ms, attempt, *events)

    async def defer(self, lease: Lease, delay_ms: int, reason: str, *, begun: bool = False) -> bool:
        """Again after `delay_ms`, uncharged."""
        return await self._lease(lease, "defer", int(begun), delay_ms, reason)

    async def requeue(self, lease: Lease, *, begun: bool = False) -> bool:
        """To the front of its backlog, uncharged."""
        return await self._lease(lease, "give_back", int(begun))

    async def reassign(self, lease: Lease, egress: str) -> bool:
        """To the context where it belongs with this digest of hosts, uncharged."""
        return await self._lease(lease, "reassign", egress)

    async def reap(self) -> Reaped:
        """Take back expired leases and locks, on all shards, a bounded slice at a time until none is left."""
        count = 0
        workers: set[str] = set()
        for shard in range(self.shards):
            taken = REAPED_PER_CALL
            while taken == REAPED_PER_CALL:
                jitter = secrets.randbelow(1000) / 1000
                taken, lost = await self._on(shard, "reap", REAPED_PER_CALL, jitter)
                count += taken
                workers.update(worker.decode() for worker in lost)
        return Reaped(count, frozenset(workers))

    async def release_profile(self, worker_id: str, tenant_id: str, profile_id: str, fence: int) -> bool:
        """The profile is closed here and may be opened elsewhere. False: it was not held any more."""
        base = self._roots[shard_of(tenant_id, self.shards)]
        # A lock that a failover brings back belongs to nobody who would say it again.
        said = await self._calls.settled_call("release_profile", base, worker_id, tenant_id, profile_id, fence)
        return bool(said)

    async def register_worker(self, worker_id: str) -> None:
        """This worker is here."""
        for shard in range(self.shards):
            await self._on(shard, "register_worker", worker_id)

    async def forget_worker(self, worker_id: str) -> None:
        """This worker goes. What it still leases is reaped by others in time."""
        for shard in range(self.shards):
            await self._on(shard, "forget_worker", worker_id)

    async def disown_worker(self, worker_id: str) -> int:
        """That worker is known to be dead: take back at once what it leases. Returns how many jobs."""
        count = 0
        for shard in range(self.shards):
            count += await self._on(shard, "disown_worker", worker_id)
        await self.reap()
        return count

    # -- for operators

    async def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job: at once where it waits, through its worker where it runs, when it comes if it is not known."""
        base = self._roots[shard_of(ref.tenant_id, self.shards)]
        memory_ms = self.options.cancel_memory_seconds * 1000
        # What was acknowledged must not be undone by a failover.
        reply: bytes = await self._calls.settled_call("cancel", base, str(ref), memory_ms)
        word: Cancelled = msgspec.convert(reply.decode(), Cancelled)
        return word

    async def result(self, ref: JobRef) -> bytes | None:
        """A job's result, while it is kept."""
        key = f"{self.prefix}:result:{ref.colon_form}"
        value: bytes | None = await self._calls.command("GET", key, key=key)
        return value

    async def jobs(
        self,
        state: JobState | None = None,
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
        return [stats_from(await self._on(shard, "stats"), shard) for shard in range(self.shards)]

    async def audit(self) -> list[str]:
        """What does not add up, one line each; looks at every key."""
        return [
            f"shard {shard}: {line.decode()}" for shard in range(self.shards) for line in await self._on(shard, "audit")
        ]

    async def dead_list(
        self, count: int = 50, cursor: str | None = None, tenant_id: str | None = None
    ) -> DeadLetterPage:
        """Dead letters, newest first within a shard."""
        return await self._letters.page(count, cursor, tenant_id)

    async def dead_show(self, letter_id: str) -> DeadLetter | None:
        """One dead letter."""
        return await self._letters.show(letter_id)

    async def dead_retry(self, ids: Sequence[str], edits: JobPatch = JobPatch()) -> dict[str, Revived]:
        """Queue exactly these jobs again, changed by `edits`. Raises ContractError for an edit that breaks one."""
        return await self._letters.retry(ids, edits)

    async def dead_purge(self, ids: Sequence[str]) -> int:
        """Throw exactly these letters away."""
        return await self._letters.purge(ids)

    # -- delivery

    async def outbox_take(self, worker_id: str, count: int, block_ms: int) -> list[OutboxEntry]:
        """Promises that are due, hidden from others for a minute."""
        return await self._outbox.take(count, block_ms)

    async def outbox_done(self, promises: Sequence[OutboxEntry]) -> None:
        """Delivered."""
        await self._outbox.done(promises)

    async def outbox_later(self, promise: OutboxEntry, delay_ms: int) -> None:
        """The try failed: again in so long."""
        await self._outbox.later(promise, delay_ms)

    async def outbox_failed(self, promise: OutboxEntry, event: bytes) -> None:
        """Given up."""
        await self._outbox.failed(promise, event)

    # -- inside

    async def _on(self, shard: int, name: str, *args: Argument) -> Any:
        return await self._calls.call(name, self._roots[shard], *args)

    async def _lease(self, lease: Lease, name: str, *args: Argument) -> bool:
        return bool(await self._on(lease.shard, name, str(lease.ref), lease.token, *args))

    def _terms(self) -> tuple[Argument, ...]:
        options, keyed = self.options, int(not self._calls.cluster)
        return (self._ttl_ms, options.stream_length, options.dead_length, options.dead_bytes, keyed)

    async def _keep(self, shard: int, name: str, ref: JobRef, result: bytes, callback: str | None) -> None:
        if self._calls.cluster:
            await self._outbox.put(shard, name, ref, result)
        if callback:
            self._outbox.announce()

    def _by_shard(self, tenants: Sequence[str]) -> dict[int, list[int]]:
        if self.shards == 1:
            return {0: list(range(len(tenants)))}
        places: dict[int, list[int]] = {}
        for at, tenant in enumerate(tenants):
            places.setdefault(shard_of(tenant, self.shards), []).append(at)
        return places

    async def _everywhere(self, on: Any, places: dict[int, list[int]]) -> None:
        if len(places) == 1:
            for shard, at in places.items():
                await on(shard, at)
            return
        await fan_out(on(shard, at) for shard, at in places.items())


def _batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
