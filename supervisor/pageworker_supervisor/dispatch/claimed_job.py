"""What other parts of the dispatcher see of a claimed job."""

from typing import TYPE_CHECKING, Protocol

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.runners.runner import Runner

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.tracing.job_trace import AttemptTrace


class ClaimedJob(Protocol):
    """What the settlement has to know of a claimed job. `version`: its module's, once that is resolved. `rollout`: the
    one of which it is part. `claimed_at`: on the monotonic clock. `left_at`: when it gave up its permits; None: it has
    not. `proxy`: its policy and the upstream used last. `has_unused_profile`: its claim locked a profile that no runner
    of this worker has open."""

    lease: Lease
    job: Job
    version: str | None
    rollout: Rollout | None
    claimed_at: float
    left_at: float | None
    proxy: str | None
    log: "Logger"
    trace: "AttemptTrace | None"

    @property
    def runner(self) -> Runner | None:
        """The runner on which it has, or had, a page."""

    @property
    def traffic(self) -> Traffic:
        """What this attempt has used of the network."""

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """What its module has reported so far."""

    @property
    def has_unused_profile(self) -> bool: ...

    def use(self, outcome: str | None = None, error: str | None = None) -> bytes:
        """JSON of what it has used, for the job's history."""
