"""A claimed job: what its worker gets, and what it gives back."""

import time
from typing import Any, Literal

from msgspec import Struct

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.new_job import PRIORITY_OF, Priority

Ending = Literal["expired", "dead", "cancelled"]
"""How a job ends that does not run (again)."""


def boot_seconds() -> float:
    """A clock that every process of this host shares, and that goes on while the host is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease(Struct, frozen=True, kw_only=True):
    """A claimed job. The holder of `token` owns it until the lease expires or is ended.

    With an `ending` there is nothing to run: compose the result and finish the job at once.
    """

    ref: JobRef
    profile_id: str | None
    egress: str = NO_EGRESS
    """Digest of its module's hosts when it was queued. The module may have changed since."""
    shard: int
    token: str
    body: bytes
    attempt: int
    """Counts from 1, attempts used before the first push included."""
    crashes: int
    exclusive: bool
    """Run it alone in a runner: it was there when one died."""
    begin_before: float | None = None
    """No handler may begin later, on `boot_seconds()`; None where the job does not expire (any more)."""
    profile_fence: int | None
    ending: Ending | None
    queued_seconds: float
    """Since it could first have run this time."""
    total_seconds: float
    """Since it was first pushed."""
    attempts: tuple[bytes, ...]
    """Past attempts, each a JSON object."""
    priority: Priority

    @property
    def job_id(self) -> str:
        """Its id within its tenant."""
        return self.ref.job_id

    @property
    def tenant_id(self) -> str:
        """Its tenant."""
        return self.ref.tenant_id

    @property
    def context(self) -> ContextKey:
        """The context that it was claimed for."""
        return ContextKey(self.tenant_id, self.profile_id, self.egress)


class Claimed(Struct, frozen=True):
    """What a claim brought."""

    leases: tuple[Lease, ...] = ()
    wanted: tuple[ContextKey, ...] = ()
    """Contexts that are next in fairness and have no place on this worker. At most four per shard."""
    lost_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) that the capacity named as warm, but whose lock the worker does not hold: close them."""


class HeartbeatReply(Struct, frozen=True):
    """What a worker has to act on."""

    lost: frozenset[str] = frozenset()
    """Tokens of leases that are lost: stop the work, its result would be discarded."""
    cancelled: frozenset[str] = frozenset()
    """Tokens of leases whose job is to be cancelled."""
    lost_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) whose lock is lost: close them."""
    asked_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) that another worker asks for."""


class FinishRequest(Struct, frozen=True, kw_only=True):
    """The end of a job: its result (JSON), and what else is stored with it."""

    status: str
    result: bytes
    callback: str | None = None
    """URL that the result is sent to."""
    dead_letter: bytes | None = None
    """JSON of the last error and the attempts; given where the job goes to the dead letters."""
    events: tuple[bytes, ...] = ()


class Reaped(Struct, frozen=True):
    """Expired leases that were taken back, and the workers that had lost them."""

    count: int = 0
    workers_lost: frozenset[str] = frozenset()


def lease_from(row: dict[str, Any], body: bytes, shard: int, asked_at: float) -> Lease:
    """One lease of a claim's reply (queue/lua/fn_claim.lua). `asked_at`: when the claim was sent, on
    `boot_seconds()`."""
    ref = JobRef.of_text(row["ref"])
    key = ContextKey.parse(ref.tenant_id, row["context"])
    ending, crashes, begins_ms = row.get("ending"), row["crashes"], row.get("begins_within_ms")
    past: str | None = row.get("past_attempts")
    return Lease(
        ref=ref,
        profile_id=key.profile_id,
        egress=key.egress,
        shard=shard,
        token=row["token"],
        body=body,
        attempt=row["attempts_used"] + 1,
        crashes=crashes,
        exclusive=crashes > 0 and not ending,
        profile_fence=row.get("fence"),
        ending=ending,
        queued_seconds=max(0, row["queued_ms"]) / 1000,
        total_seconds=max(0, row["total_ms"]) / 1000,
        attempts=tuple(past.encode().split(b"\n")) if past else (),
        priority=PRIORITY_OF[row["priority"]],
        # Redis answered later than it was asked, so this is never too late.
        begin_before=None if begins_ms is None or ending else asked_at + begins_ms / 1000,
    )
