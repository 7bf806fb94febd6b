"""What an operator sees of the queue."""

from typing import Any, Literal

from msgspec import Struct

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.producer import NO_DOMAIN, PRIORITY_OF

ListedState = Literal["queued", "delayed", "running", "storing", "ending", "finishing"]
"""The values of `JobState` that jobs with a record have."""
CancelReply = Literal["cancelled", "cancelling", "awaited", "finished", "unknown"]
"""Whether a cancellation holds. After the first three the job ends as `cancelled`; awaited: the queue does not know it
yet. finished: it had ended before. unknown: no such job, and no more cancellations are remembered for its tenant."""


class JobView(Struct, frozen=True, kw_only=True):
    """One job that has no result yet."""

    job_id: str
    tenant_id: str
    profile_id: str | None
    domain: str | None
    module: str | None = None
    """Bare name of its module. None: an older release queued the job."""
    priority: Priority
    state: ListedState
    worker_id: str | None
    crashes: int
    attempts_used: int
    due_at_ms: int | None
    age_seconds: float
    requests: int = 0
    """Of all its attempts. Those of the present one are as old as its worker's last heartbeat. The same holds for the
    bytes."""
    bytes_in: int = 0
    bytes_out: int = 0
    why: str | None = None
    """Why it waits: why a worker put it off, uncharged, or which limit is used up (`throttled: tenant rate`),
    or what is paused (`paused: tenant acme: <reason>`)."""

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)


class JobPage(Struct, frozen=True):
    """A page of a listing. `cursor` is None at the end."""

    jobs: tuple[JobView, ...]
    cursor: str | None


class TenantStats(Struct, frozen=True, kw_only=True):
    """One tenant's numbers."""

    tenant_id: str
    jobs: int
    """All that have no result yet."""
    running: int
    parked: bool
    throttled: str | None = None
    """Which limit keeps it from starting a further job, e.g. `throttled: tenant rate`, or why it is paused;
    None: nothing does."""


class ShardStats(Struct, frozen=True, kw_only=True):
    """One shard's numbers. `tenants` lists at most a hundred."""

    shard: int
    queued: int
    delayed: int
    running: int
    """Claimed: those that run, and those whose result is being written."""
    ending: int
    """Waiting for a worker that writes their result."""
    active_tenants: int
    parked_tenants: int
    profiles_held: int
    outbox_entries: int
    dead_letters: int
    workers: int
    batches: int
    """Those that are not complete."""
    tenants: tuple[TenantStats, ...]
    paused: dict[str, int] = {}
    """How many pauses are in force here, by kind: `tenant`, `module`, `domain`. The same modules and domains are paused
    on every shard."""


def view_from(row: dict[str, Any]) -> JobView:
    """One job of a listing's reply (queue/lua/fn_inspect.lua)."""
    ref = JobRef.of_text(row["ref"])
    domain = row["domain"]
    traffic = Traffic.of_text(row.get("traffic"))
    return JobView(
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        profile_id=ContextKey.parse(ref.tenant_id, row["context"]).profile_id,
        domain=None if domain == NO_DOMAIN else domain,
        module=row.get("module") or None,
        priority=PRIORITY_OF[row["priority"]],
        state=row["state"],
        worker_id=row.get("worker"),
        crashes=row["crashes"],
        attempts_used=row["attempts_used"],
        due_at_ms=row.get("due_at_ms"),
        age_seconds=row["age_ms"] / 1000,
        requests=traffic.requests,
        bytes_in=traffic.bytes_in,
        bytes_out=traffic.bytes_out,
        why=row.get("throttled") or row.get("defer_reason"),
    )


def stats_from(row: dict[str, Any], shard: int) -> ShardStats:
    """One shard's reply of `stats`."""
    return ShardStats(
        shard=shard,
        queued=row["jobs"] - row["delayed"] - row["claimed"] - row["ending"],
        delayed=row["delayed"],
        running=row["claimed"],
        ending=row["ending"],
        active_tenants=row["active_tenants"],
        parked_tenants=row["parked_tenants"],
        profiles_held=row["profiles_held"],
        outbox_entries=row["outbox_entries"],
        dead_letters=row["dead_letters"],
        workers=row["workers"],
        batches=row["batches"],
        tenants=tuple(
            TenantStats(
                tenant_id=each["tenant"],
                jobs=each["jobs"],
                running=each["running"],
                parked=each["parked"],
                throttled=each.get("throttled"),
            )
            for each in row["tenants"]
        ),
        paused={kind: row["paused"][kind] for kind in ("tenant", "module", "domain", "budget")},
    )
