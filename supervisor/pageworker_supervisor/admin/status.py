"""What a worker says about itself, and what can be asked of it."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct

from pageworker_supervisor.contract.job_ref import JobRef

ReportedState = Literal["starting", "ready", "draining", "cut_off", "failing", "stopped"]
"""`cut_off`: Redis does not answer; `failing`: no job could run here. Neither takes jobs."""
CancelAnswer = Literal["cancelled", "cancelling", "finished", "unknown"]


class RedisReport(Struct, frozen=True, kw_only=True):
    """The queue. `url` is without password."""

    connected: bool
    url: str


class RunnerReport(Struct, frozen=True, kw_only=True):
    """One runner. `pages` counts by state; `memory_bytes` is the proportional set size of its whole process tree, as it
    was seconds ago, None before it was measured.

    `evidence`: what it said of its own confinement; `proof`: what the kernel says of it, read from outside.
    """

    runner_id: str
    tenant_id: str | None
    profile_id: str | None
    state: str
    pages: dict[str, int] = {}
    jobs_done: int = 0
    uptime_seconds: float = 0.0
    pid: int | None = None
    memory_bytes: int | None = None
    evidence: dict[str, str] = {}
    proof: dict[str, str] = {}


class RunningJob(Struct, frozen=True, kw_only=True):
    """A job that is at work. `since_seconds`: how long ago it was claimed."""

    job_id: str
    tenant_id: str
    module: str
    attempt: int
    since_seconds: float
    runner_id: str | None = None

    @property
    def ref(self) -> JobRef:
        """What the job is named by."""
        return JobRef(self.tenant_id, self.job_id)


class StatusReport(Struct, frozen=True, kw_only=True):
    """One worker as it stands."""

    state: ReportedState
    reason: str
    worker_id: str
    version: str
    uptime_seconds: float
    redis: RedisReport
    runners: tuple[RunnerReport, ...] = ()
    jobs: tuple[RunningJob, ...] = ()
    counters: dict[str, float] = {}
    """Totals since the start, named as the metrics are."""
    gateway_proof: dict[str, str] = {}


class DrainLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a drain: a job that is waited for, one that ended, one that was handed back, or the end.

    The last line is `done`, or `deadline`: the deadline has passed, and `left` jobs were not finished by then.
    """

    event: Literal["waiting", "ended", "handed_back", "done", "deadline"]
    job_id: str | None = None
    tenant_id: str | None = None
    module: str | None = None
    since_seconds: float | None = None
    left: int | None = None

    @property
    def ref(self) -> JobRef | None:
        """The job that the line is about; None at the end."""
        return JobRef(self.tenant_id, self.job_id) if self.tenant_id and self.job_id else None


class DrainAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /drain. None: the worker's `drain_seconds`."""

    deadline_seconds: float | None = None


class CancelAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /cancel."""

    job: JobRef


class Cancelled(Struct, frozen=True):
    """Answer to POST /cancel."""

    job_id: str
    tenant_id: str
    outcome: CancelAnswer
    """cancelled, cancelling: it holds, the job ends as `cancelled`. finished: it had ended before."""
    known: bool = True
    """False: the queue does not know the job (yet). With `cancelling`, it is cancelled should it come."""


class WorkerControl(Protocol):
    """What the endpoints need from the daemon."""

    def status(self) -> StatusReport:
        """Everything that is worth showing. Cheap: scraped every few seconds."""

    async def look(self) -> None:
        """See at once whether Redis serves everything, so that `ready` is not of some seconds ago. Takes a second at
        most."""

    def ready(self) -> tuple[bool, str]:
        """Whether jobs are taken, and why not."""

    def drain(self, deadline_seconds: float | None) -> AsyncIterator[DrainLine]:
        """Drain; yields until done. Who stops listening does not stop the drain."""

    async def undrain(self) -> None:
        """Take jobs again. Raises WorkerRefused where that cannot be."""

    async def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job, whatever state it is in."""
