"""The worker's part of the queue: claims, leases, profile locks, and the ends of jobs.

Every method may be repeated with the same arguments. All raise RedisClientError.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct

from pageworker_sandbox.wire.once_messages import OnceAct
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.queue.claim import Capacity, ClaimCalls, Claimed, Lease
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.functions import Shards, batches, opaque, unpacked
from pageworker_supervisor.queue.limits_table import LimitsId
from pageworker_supervisor.queue.once import OnceReply, call_once
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.outbox import Outbox
from pageworker_supervisor.queue.retention import retention_request
from pageworker_supervisor.queue.usage import JobSpending
from pageworker_supervisor.queue.wakeup import Wakeup, WakeupWaiter

LEASES_PER_CALL = 128
REAPED_PER_CALL = 64


class HeartbeatReply(Struct, frozen=True):
    """What a worker has to act on."""

    lost: frozenset[str] = frozenset()
    """Tokens of leases that are lost: stop the work, its result would be discarded."""
    cancelled: frozenset[str] = frozenset()
    """Tokens of leases whose job is to be cancelled."""
    lost_profiles: frozenset[tuple[str, str, int]] = frozenset()
    """(tenant, profile, fence) of locks that are lost: close what is open under them."""
    asked_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) that another worker asks for."""
    limits: frozenset[LimitsId | None] = frozenset()
    """Which table of limits is in force on the shards; None: none."""


class Reaped(Struct, frozen=True):
    """Expired leases that were taken back, and the workers that had lost them."""

    count: int = 0
    workers_lost: frozenset[str] = frozenset()


class JobConsumer:
    """Takes jobs out of the queue."""

    def __init__(self, shards: Shards, options: Live[QueueOptions], waiting: WakeupWaiter, outbox: Outbox) -> None:
        self.lease_ms = options.value.lease_ms
        self._shards = shards
        self._options = options
        self._waiting = waiting
        self._claiming = ClaimCalls(shards, waiting)
        self._outbox = outbox

    async def claim(self, worker_id: str, capacity: Capacity) -> Claimed:
        """The next jobs in fairness that this worker has a place for: at most `capacity.limit`, and ending jobs."""
        return await self._claiming.claim(worker_id, capacity)

    async def wait(self, worker_id: str, timeout_seconds: float) -> Wakeup:
        """Sleep until there may be work for this worker, or a message, or the time is up."""
        return await self._waiting.wait(worker_id, timeout_seconds)

    async def heartbeat(
        self,
        worker_id: str,
        leases: Sequence[Lease],
        profiles: Iterable[tuple[str, str, int]] = (),
        traffic: Mapping[str, Traffic] | None = None,
    ) -> HeartbeatReply:
        """Extend leases and profile locks, each (tenant, profile, fence), by the lease time.

        `traffic`: what each lease has used so far, by token. It is kept should this worker be lost.
        """
        used = traffic or {}
        lost: set[str] = set()
        cancelled: set[str] = set()
        lost_profiles: set[tuple[str, str, int]] = set()
        asked: set[tuple[str, str]] = set()
        limits: set[LimitsId | None] = set()
        held = list(profiles)
        for shard in range(len(self._shards)):
            mine = [profile for profile in held if self._shards.of(profile[0]) == shard]
            here = [lease for lease in leases if lease.shard == shard]
            for nth, batch in enumerate(list(batches(here, LEASES_PER_CALL)) or [[]]):
                locks = mine if nth == 0 else []
                reply = unpacked(
                    await self._shards.call(
                        shard,
                        "heartbeat",
                        worker=worker_id,
                        leases=[
                            {
                                "ref": str(lease.ref),
                                "token": lease.token,
                                "traffic": used.get(lease.token, NO_TRAFFIC).text,
                            }
                            for lease in batch
                        ],
                        profiles=[
                            {"tenant": tenant, "profile": profile, "fence": fence} for tenant, profile, fence in locks
                        ],
                    )
                )
                limits.add(LimitsId.parse(reply["limits"]) if "limits" in reply else None)
                lost.update(reply["lost_tokens"])
                cancelled.update(reply["cancelled_tokens"])
                lost_profiles.update(locks[number - 1] for number in reply["lost_profiles"])
                asked.update(locks[number - 1][:2] for number in reply["asked_profiles"])
        return HeartbeatReply(
            frozenset(lost), frozenset(cancelled), frozenset(lost_profiles), frozenset(asked), frozenset(limits)
        )

    async def finish(
        self,
        lease: Lease,
        status: str,
        result: bytes,
        *,
        callback: str | None = None,
        trace: str | None = None,
        dead_letter: bytes | None = None,
        events: Sequence[bytes] = (),
        release_profile: bool = False,
        used: bytes | None = None,
        observed: Mapping[str, object] | None = None,
        spent: JobSpending | None = None,
    ) -> bool:
        """Store the job's one result (JSON). False: the lease was lost, another worker answers. Raises CancelHolds.

        `callback`: URL that the result is sent to. `trace`: traceparent of the producer, for callbacks.
        `dead_letter`: JSON of the last error and the attempts; given if the job goes to the dead letters.
        `release_profile`: this worker has not opened the profile that the claim locked. The lock is released with the
        last job that holds it, so that no further call is needed. `used`: JSON of what the attempt used, for the job's
        history; also in the methods below. `observed`: what is counted of a job of a running rollout.
        `spent`: what is counted as usage of the tenant.
        """
        word = await self._shards.settled_call(
            lease.shard,
            "finish",
            retention=retention_request(self._options.value, cluster=self._shards.functions.cluster),
            ref=str(lease.ref),
            token=lease.token,
            status=status,
            result=opaque(result),
            callback_url=callback,
            **({"trace": trace} if trace else {}),
            dead_letter=None if dead_letter is None else opaque(dead_letter),
            events=[opaque(event) for event in events],
            **({"release_profile": True} if release_profile else {}),
            **({"observed": dict(observed)} if observed else {}),
            **({"spent": spent.request()} if spent else {}),
            **_optional(used),
        )
        if word == b"cancelled":
            raise CancelHolds(lease.job_id)
        if word not in (b"stored", b"promised"):
            return False
        await self._outbox.deliver_stored(lease.shard, lease.token, lease.ref, result, callback)
        if word == b"promised":
            self._outbox.announce()
        return True

    async def begin(self, lease: Lease, *, used: bytes | None = None) -> bool:
        """A handler of this job has begun: it does not expire any more. False: the lease was lost."""
        return await self._on_lease(lease, "begin", **_optional(used))

    async def progress(self, lease: Lease, step: bytes, event: bytes) -> bool:
        """The newest step (JSON) of a handler, and the event (JSON) that tells it. False: the lease was lost."""
        return await self._on_lease(lease, "progress", step=opaque(step), event=opaque(event))

    async def store(self, lease: Lease) -> bool:
        """The handler of this job has ended, and artifacts are still to be stored: its permits are free for others.

        False: the lease was lost.
        """
        return await self._on_lease(lease, "store")

    async def once(self, lease: Lease, key: str, act: OnceAct, *, call_number: int, value: bytes | None) -> OnceReply:
        """Record a side effect of the handler. `call_number`: of this call within the lease, the same when repeated."""
        return await call_once(self._shards, lease, key, act, call_number, value)

    # The next methods put a job back into the queue. `begun`: a handler had begun in this lease. Until then it may
    # expire. `traffic`: what this lease used of the network.

    async def retry(
        self,
        lease: Lease,
        delay_ms: int,
        attempt: bytes,
        events: Sequence[bytes] = (),
        *,
        begun: bool = True,
        traffic: Traffic = NO_TRAFFIC,
        used: bytes | None = None,
    ) -> bool:
        """Again after `delay_ms`; the attempt (JSON) is used up. False: the lease was lost."""
        return await self._on_lease(
            lease,
            "retry",
            begun=begun,
            delay_ms=delay_ms,
            attempt=opaque(attempt),
            events=[opaque(event) for event in events],
            traffic=traffic.text,
            **_optional(used),
        )

    async def crash(
        self,
        lease: Lease,
        delay_ms: int,
        attempt: bytes,
        events: Sequence[bytes] = (),
        *,
        begun: bool = False,
        traffic: Traffic = NO_TRAFFIC,
        used: bytes | None = None,
    ) -> bool:
        """The job's runner died: counted as a crash, not as an attempt. The third crash is the job's end."""
        return await self._on_lease(
            lease,
            "crash",
            begun=begun,
            delay_ms=delay_ms,
            attempt=opaque(attempt),
            events=[opaque(event) for event in events],
            traffic=traffic.text,
            **_optional(used),
        )

    async def defer(
        self,
        lease: Lease,
        delay_ms: int,
        reason: str,
        *,
        begun: bool = False,
        traffic: Traffic = NO_TRAFFIC,
        used: bytes | None = None,
    ) -> bool:
        """Again after `delay_ms`, uncharged."""
        more = _optional(used)
        return await self._on_lease(
            lease, "defer", begun=begun, delay_ms=delay_ms, reason=reason, traffic=traffic.text, **more
        )

    async def requeue(
        self, lease: Lease, *, begun: bool = False, traffic: Traffic = NO_TRAFFIC, used: bytes | None = None
    ) -> bool:
        """To the front of its backlog, uncharged."""
        return await self._on_lease(lease, "requeue", begun=begun, traffic=traffic.text, **_optional(used))

    async def reassign(self, lease: Lease, context: ContextKey, *, used: bytes | None = None) -> bool:
        """To the context where it belongs with the hosts and options of `context`, uncharged."""
        return await self._on_lease(lease, "reassign", values=context.values, **_optional(used))

    async def reap(self) -> Reaped:
        """Take back expired leases and locks, and complete batches at their deadline, on all shards, a bounded slice at
        a time until none is left."""
        count = 0
        workers: set[str] = set()
        for shard in range(len(self._shards)):
            more = True
            while more:
                jitter = secrets.randbelow(1000) / 1000
                reply = unpacked(await self._shards.call(shard, "reap", limit=REAPED_PER_CALL, jitter=jitter))
                more = reply["count"] == REAPED_PER_CALL or reply["more"]
                count += reply["count"]
                workers.update(reply["workers"])
                if reply["completed"]:
                    self._outbox.announce()
        return Reaped(count, frozenset(workers))

    async def release_profile(self, worker_id: str, tenant_id: str, profile_id: str, fence: int) -> bool:
        """The profile is closed here and may be opened elsewhere. False: it was not held any more."""
        # Settled: no worker would release a lock again that a failover brings back.
        reply = await self._shards.settled_call(
            self._shards.of(tenant_id),
            "release_profile",
            worker=worker_id,
            tenant=tenant_id,
            profile=profile_id,
            fence=fence,
        )
        return bool(reply)

    async def register_worker(self, worker_id: str) -> None:
        """This worker is here."""
        for shard in range(len(self._shards)):
            await self._shards.call(shard, "register_worker", worker=worker_id)

    async def forget_worker(self, worker_id: str) -> None:
        """This worker goes. Leases that it still has are reaped by others in time."""
        for shard in range(len(self._shards)):
            await self._shards.call(shard, "forget_worker", worker=worker_id)

    async def disown_worker(self, worker_id: str) -> int:
        """That worker is known to be dead: take its leases back at once. Returns how many jobs."""
        count = 0
        for shard in range(len(self._shards)):
            count += await self._shards.call(shard, "disown_worker", worker=worker_id)
        await self.reap()
        return count

    async def _on_lease(self, lease: Lease, function: str, **request: Any) -> bool:
        reply = await self._shards.call(lease.shard, function, ref=str(lease.ref), token=lease.token, **request)
        return bool(reply)


def _optional(used: bytes | None) -> dict[str, Raw]:
    return {} if used is None else {"used": opaque(used)}
