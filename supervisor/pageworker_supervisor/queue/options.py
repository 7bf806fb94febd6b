"""The words of the scheduler: what goes in, what a worker gets, what it gives back.

Times that end in `_ms` are milliseconds; instants are milliseconds since the epoch on Redis' clock.
"""

import time
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.job_ref import JobRef

Priority = Literal["high", "normal", "low"]
Verdict = Literal["expired", "dead", "cancelled"]
Enqueued = Literal["queued", "duplicate"]
Cancelled = Literal["cancelled", "cancelling", "awaited", "finished", "unknown"]
"""Whether a cancellation holds. After the first three the job ends as `cancelled`; awaited: the queue does not know it
yet. finished: it had ended before. unknown: no such job, and no more cancellations are remembered for its tenant."""
JobState = Literal["queued", "delayed", "running", "verdict"]


LEASE_MS = 45_000
"""A worker that was silent for so long has lost its jobs and its profiles."""
PROMISE_MS = 60_000
"""A promise that its taker neither ends nor puts off comes back after so long."""


def boot_seconds() -> float:
    """A clock that every process of this host shares, and that goes on while the host is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class QuotaLimits(Struct, frozen=True):
    """What a tenant or a domain may use at once and in a second. `weight` counts for tenants only."""

    weight: float = 1.0
    concurrency: int = 1000
    rate_per_second: float | None = None
    burst: int = 100


class NewJob(Struct, frozen=True, kw_only=True):
    """One job to be queued. `body` is the job's JSON, opaque to the queue."""

    job_id: str
    tenant_id: str
    priority: Priority = "normal"
    body: bytes
    profile_id: str | None = None
    egress: str = NO_EGRESS
    """`egress_digest` of its module's hosts, as far as it is known here. Whoever runs the job looks again."""
    domain: str | None = None
    delay_ms: int | None = None
    not_before_ms: int | None = None
    expires_at_ms: int | None = None
    attempts_used: int = 0
    waited_ms: int = 0
    """How long it was on its way into the queue, as far as that is known."""
    tenant_limits: QuotaLimits = QuotaLimits()
    domain_limits: QuotaLimits = QuotaLimits()
    callback: str | None = None
    """URL that gets the stored result, should the job have ended already. Allowed for the tenant."""

    @property
    def ref(self) -> JobRef:
        """What the job is named by."""
        return JobRef(self.tenant_id, self.job_id)


class WantedContext(Struct, frozen=True):
    """A browser context that has work and no place. `solo`: for one job that must run alone in a fresh runner."""

    context: ContextKey
    solo: bool = False


class ContextCapacity(Struct, frozen=True):
    """A context that the worker holds warm, and how many more jobs it takes now.

    Name a held profile even when it is full. `free_pages` below 0: nor may a room be used for it. `idle`: it is
    counted among the rooms too, as it would be closed for another context; a job for it uses that room up.
    """

    context: ContextKey
    free_pages: int
    idle: bool = False
    refused: bool = False
    """It has no runner here and gets none: `free_pages` of its jobs are claimed only to be answered. None of a profile
    that another worker has open."""


class Capacity(Struct, frozen=True, kw_only=True):
    """What a worker can take: at most `limit` jobs, in warm contexts and in `rooms` new ones.

    `quiet`: neither ask other workers for profiles nor name wanted contexts.
    """

    limit: int
    contexts: Sequence[ContextCapacity] = ()
    runner_slots: int = 0
    pages_per_room: int = 1
    quiet: bool = False


class Lease(Struct, frozen=True, kw_only=True):
    """A claimed job. Whoever holds `token` owns it until it expires or is ended.

    With a `verdict` there is nothing to run: compose the result and finish it at once.
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
    verdict: Verdict | None
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
        """Who it runs for."""
        return self.ref.tenant_id

    @property
    def context(self) -> ContextKey:
        """What it was claimed for."""
        return ContextKey(self.tenant_id, self.profile_id, self.egress)


class Claimed(Struct, frozen=True):
    """What a claim brought."""

    leases: tuple[Lease, ...] = ()
    wanted: tuple[WantedContext, ...] = ()
    """Contexts that are next in fairness and found no room on this worker. At most four a shard."""
    lost_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) that the capacity named as warm but whose lock the worker does not hold: close them."""


class HeartbeatReply(Struct, frozen=True):
    """Answer to a heartbeat. What is lost must stop at once."""

    lost: frozenset[str] = frozenset()
    """Tokens."""
    cancelled: frozenset[str] = frozenset()
    """Tokens of jobs whose cancellation was asked for."""
    # Both are (tenant, profile).
    lost_profiles: frozenset[tuple[str, str]] = frozenset()
    asked_profiles: frozenset[tuple[str, str]] = frozenset()
    """Profiles that another worker would use: release them when idle."""


class FinishRequest(Struct, frozen=True, kw_only=True):
    """The end of a job: everything that is stored with its one result."""

    status: str
    result: bytes
    callback: str | None = None
    """URL that the result is promised to."""
    dead_letter: bytes | None = None
    """JSON of the last error and the attempts; given where the job goes to the dead letters."""
    events: tuple[bytes, ...] = ()


class Reaped(Struct, frozen=True):
    """Expired leases that were taken back."""

    count: int = 0
    workers_lost: frozenset[str] = frozenset()


class CancelNotice(Struct, frozen=True):
    """A running job of this worker is to be cancelled."""

    ref: JobRef
    token: str


class AskNotice(Struct, frozen=True):
    """Another worker would use this profile, and no job of it runs here."""

    tenant_id: str
    profile_id: str
    fence: int


Notice = CancelNotice | AskNotice


class Wakeup(Struct, frozen=True):
    """Why a wait returned. Neither: its time was up."""

    work: bool = False
    """There may be work for this worker: claim."""
    control: tuple[Notice, ...] = ()


class OutboxEntry(Struct, frozen=True, kw_only=True):
    """A result that must still be delivered. Held by its taker for the outbox lease."""

    id: str
    shard: int
    ref: JobRef
    callback_url: str | None
    result: bytes
    tries: int
    """Tries so far, this one not counted."""
    since: float
    """When it was made, on the clock of `time.monotonic()`."""
    token: str


class JobPatch(Struct, frozen=True, kw_only=True):
    """What changes in a job that is taken back from the dead letters."""

    payload: bytes | None = None
    endpoint_module: str | None = None


Revived = Literal["queued", "duplicate", "gone", "refused"]
"""What became of a dead letter that was to be retried. refused: it is no job; push it again, mended."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A dead letter. `job_id` is None where the pushed text could not be read."""

    id: str
    """`<shard>-<stream id>`."""
    job_id: str | None
    tenant_id: str | None
    reason: str
    job: bytes
    """The job as it was pushed."""
    detail: bytes
    """JSON: the last error and the attempts."""
    at_ms: int
    retryable: bool
    """False for what was rejected: it has to be pushed again, mended."""

    @property
    def ref(self) -> JobRef | None:
        """What the job is named by, where that could be read."""
        return JobRef(self.tenant_id, self.job_id) if self.tenant_id and self.job_id else None


class JobView(Struct, frozen=True, kw_only=True):
    """One job as it stands."""

    job_id: str
    tenant_id: str
    profile_id: str | None
    domain: str | None
    priority: Priority
    state: JobState
    worker_id: str | None
    crashes: int
    attempts_used: int
    due_at_ms: int | None
    age_seconds: float
    why: str | None = None
    """Why a worker put it off, uncharged, while it waits."""

    @property
    def ref(self) -> JobRef:
        """What the job is named by."""
        return JobRef(self.tenant_id, self.job_id)


class DeadLetterPage(Struct, frozen=True):
    """A page of dead letters, newest first. `cursor` is None at the end."""

    letters: tuple[DeadLetter, ...]
    cursor: str | None


class JobPage(Struct, frozen=True):
    """A page of a listing. `cursor` is None at the end."""

    jobs: tuple[JobView, ...]
    cursor: str | None


class TenantStats(Struct, frozen=True, kw_only=True):
    """One tenant's numbers."""

    tenant_id: str
    jobs: int
    """Queued, delayed and running."""
    running: int
    parked: bool


class QueueOptions(Struct, frozen=True, kw_only=True):
    """How results are kept, and how safe they must be before they count."""

    result_ttl_seconds: int = 86_400
    stream_length: int = 100_000
    """Newest results kept in a shard's stream, approximately."""
    dead_length: int = 100_000
    dead_bytes: int = 256 * 1024 * 1024
    """A shard's dead letters: so many, and together at most so large."""
    dead_text_bytes: int = 16 * 1024
    """So much is kept of a text that is no job."""
    cancel_memory_seconds: int = 86_400
    """A cancellation of a job that the queue does not know is remembered so long."""
    replicas: int = 0
    """A job is taken in, ended and delivered once so many replicas have it: a failover forgets none of that."""
    replica_wait_seconds: float = 1.0
    replica_patience_seconds: float = 30.0
    """No replica for longer than this: go on without."""
    lease_ms: int = LEASE_MS
    promise_ms: int = PROMISE_MS
    """All workers of a prefix must agree on both. Tests of what happens past them use shorter ones."""
    test_clock: bool = False
    """Honour the key `{shard}:clock`, so that tests need not sleep. A library of its own."""


class ShardStats(Struct, frozen=True, kw_only=True):
    """One shard's numbers. `tenants` lists at most a hundred."""

    shard: int
    queued: int
    delayed: int
    running: int
    verdicts: int
    active_tenants: int
    parked_tenants: int
    profiles_held: int
    promises: int
    dead_letters: int
    workers: int
    tenants: tuple[TenantStats, ...]
