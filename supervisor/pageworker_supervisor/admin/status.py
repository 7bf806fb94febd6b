"""The messages of the endpoints, and what the endpoints need from the worker."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import ReportedState
from pageworker_supervisor.proxies.health import DownUpstream
from pageworker_supervisor.registry.blocker_rules import BlockerRulesReport

CancelAnswer = Literal["cancelled", "cancelling", "finished", "unknown"]


class RedisReport(Struct, frozen=True, kw_only=True):
    """The connection to Redis. `url` shows no password."""

    connected: bool
    url: str


class ConfigReport(Struct, frozen=True, kw_only=True):
    """The central configuration in this worker.

    `version`: the one that it runs; 0: none was ever set, or `config.central` is `off`. `waiting_for_restart`: settings
    whose new value takes effect at the next start. `trouble`: why it does not run the newest version. `source_trouble`:
    why the Parameter Store cannot be read; the worker keeps its version.
    """

    version: int = 0
    who: str = ""
    waiting_for_restart: tuple[str, ...] = ()
    trouble: str = ""
    source_trouble: str = ""


class RunnerReport(Struct, frozen=True, kw_only=True):
    """One runner.

    `pages`: number of pages by state. `memory_bytes`: proportional set size of the whole process tree, measured some
    seconds ago; None before the first measurement. `evidence`: what the runner reports about its own confinement.
    `proof`: what the kernel reports about it, read from outside.
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
    login: str | None = None
    """The login state of its profile, as this worker has recorded it last."""


class RunningJob(Struct, frozen=True, kw_only=True):
    """A job that runs now. `since_seconds`: seconds since it was claimed.

    `requests`, `bytes_in`, `bytes_out`: what it has used of the network until now, in all its attempts.
    """

    job_id: str
    tenant_id: str
    module: str
    attempt: int
    since_seconds: float
    runner_id: str | None = None
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def ref(self) -> JobRef:
        """The job's name, TENANT/ID."""
        return JobRef(self.tenant_id, self.job_id)


class RightsReport(Struct, frozen=True, kw_only=True):
    """The rights of the daemon's process.

    `uid`: its user id. `capabilities`: those that it has or could raise. `own_user_ids`: whether each runner has a user
    id of its own.
    """

    uid: int
    capabilities: tuple[str, ...]
    own_user_ids: bool


class AdmissionReport(Struct, frozen=True, kw_only=True):
    """What the load of the host permits the worker to claim.

    `level`: `open`, `no_new_runners` (jobs for runners that are up) or `no_jobs`. `reason`: why; "" while it is open.
    `load_percent`: each load that is known, as last measured.
    """

    level: Literal["open", "no_new_runners", "no_jobs"] = "open"
    reason: str = ""
    load_percent: dict[str, float] = {}


class StatusReport(Struct, frozen=True, kw_only=True):
    """One worker: its state, its runners and its running jobs."""

    state: ReportedState
    reason: str
    worker_id: str
    version: str
    uptime_seconds: float
    redis: RedisReport
    config: ConfigReport = ConfigReport()
    runners: tuple[RunnerReport, ...] = ()
    jobs: tuple[RunningJob, ...] = ()
    counters: dict[str, float] = {}
    """Totals since the start. Keys: names of the counters in `/metrics`, without `pageworker_` and `_total`. Values:
    sums over all labels."""
    gateway_proof: dict[str, str] = {}
    rights: RightsReport | None = None
    """None: the worker is older than this field."""
    sandbox_rights: dict[str, bool] = {}
    """Each right that a host can give to sandboxes, and whether this one did when the worker started."""
    admission: AdmissionReport = AdmissionReport()
    upstreams_down: tuple[DownUpstream, ...] = ()
    """Upstream proxies that do not work now, by policy."""
    trust_trouble: str = ""
    """Why the trust file, as it is now, is not in effect."""
    blocker_rules: BlockerRulesReport = BlockerRulesReport()


class DrainLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a drain. `worker_id`: of the worker, in a drain of several.

    `waiting`: the drain waits for this job. `ended`: it has ended. `requeued`: it went back to the queue. The last
    line is `done`, or `deadline` when the deadline passed with `left` unfinished jobs.
    """

    event: Literal["waiting", "ended", "requeued", "done", "deadline"]
    job_id: str | None = None
    tenant_id: str | None = None
    module: str | None = None
    since_seconds: float | None = None
    left: int | None = None
    worker_id: str | None = None

    @property
    def ref(self) -> JobRef | None:
        """The job of this line; None in the last line."""
        return JobRef(self.tenant_id, self.job_id) if self.tenant_id and self.job_id else None


class DrainRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of POST /drain. `deadline_seconds` None: the setting `worker.drain_seconds`.

    `cancel`: what still runs at the deadline is cancelled, not requeued.
    """

    deadline_seconds: float | None = None
    cancel: bool = False


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /cancel."""

    job: JobRef


class Cancelled(Struct, frozen=True):
    """Answer to POST /cancel."""

    job_id: str
    tenant_id: str
    outcome: CancelAnswer
    """`cancelled`, `cancelling`: the job ends, or has ended, as `cancelled`. `finished`: it had ended before."""
    known: bool = True
    """False: the queue has no such job. With `cancelling`, the job is cancelled if it is pushed later."""


class WorkerControl(Protocol):
    """What the endpoints need from the worker."""

    def status(self) -> StatusReport:
        """The report of `/status`. Cheap: it is scraped every few seconds."""

    async def refresh_readiness(self) -> None:
        """Probe Redis, so that `ready` is not some seconds old. Takes a second at most."""

    def ready(self) -> tuple[bool, str]:
        """Whether the worker takes jobs, and if not, why."""

    def drain(self, deadline_seconds: float | None, *, cancel: bool = False) -> AsyncIterator[DrainLine]:
        """Drain, and yield its lines until it is done. Raises WorkerRefused if the state does not allow it."""

    async def undrain(self) -> None:
        """Take jobs again. Raises WorkerRefused if the state does not allow it."""

    async def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job in any state. Raises WorkerRefused if Redis does not answer."""
