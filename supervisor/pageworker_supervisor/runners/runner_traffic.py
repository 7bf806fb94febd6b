"""What one runner has used of the network, and which jobs it had meanwhile."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pageworker_sandbox.egress.shared_counts import BudgetName
from pageworker_supervisor.contract.traffic import MAX_COUNT, NO_TRAFFIC, Traffic
from pageworker_supervisor.runners.traffic_ledger import TrafficLedger

REMEMBERED_JOBS = 256
"""Jobs of a runner that the access log can name after their end. A tunnel may end long after the job that opened it."""


@dataclass
class JobOnRunner:
    """A job and when it ran. Monotonic seconds; `ended_at` None: it runs."""

    attempt_id: str
    job: str
    """TENANT/ID."""
    trace_id: str
    began_at: float
    ended_at: float | None = None


class RunnerTraffic:
    """The counts of one runner. `on_growth` gets what was counted since its last call."""

    def __init__(self, tenant_id: str, on_growth: Callable[[Traffic], None] = lambda _: None) -> None:
        """`tenant_id`: the runner's tenant. A spare runner gets another one when it is adopted."""
        self.tenant_id = tenant_id
        self.ledger = TrafficLedger()
        self._on_growth = on_growth
        self._counts: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self.over_budget: Callable[[], BudgetName | None] = lambda: None
        """Which budget the attempt that began last wanted to exceed. Untrusted."""
        self._on_refusal: Callable[[], None] = lambda: None
        self._jobs: deque[JobOnRunner] = deque(maxlen=REMEMBERED_JOBS)

    def read_from(
        self,
        untrusted_counts: Callable[[], tuple[int, int, int]],
        over_budget: Callable[[], BudgetName | None] = lambda: None,
    ) -> None:
        """The gateway counts from now on: requests, bytes to and from hosts."""
        self._counts = untrusted_counts
        self.over_budget = over_budget

    def tell_refusals(self, on_refusal: Callable[[], None]) -> None:
        """Call `on_refusal` when the gateway has refused something: `over_budget` may have changed."""
        self._on_refusal = on_refusal

    def refused(self) -> None:
        """The gateway reports that it refused something. It tells every first refusal of a budget."""
        self._on_refusal()

    def look(self) -> None:
        """Take into account what the gateway has counted until now."""
        requests, bytes_out, bytes_in = (min(count, MAX_COUNT) for count in self._counts())
        growth = self.ledger.look(Traffic(requests, bytes_in, bytes_out))
        if growth != NO_TRAFFIC:
            self._on_growth(growth)

    def begin(self, attempt_id: str, job: str, trace_id: str) -> None:
        """An attempt begins now."""
        self.look()
        self.ledger.begin(attempt_id)
        self._jobs.append(JobOnRunner(attempt_id, job, trace_id, time.monotonic()))

    def end(self, attempt_id: str) -> Traffic:
        """An attempt ends now. Returns what it has used; nothing if it has ended before."""
        self.look()
        for job in self._jobs:
            if job.attempt_id == attempt_id and job.ended_at is None:
                job.ended_at = time.monotonic()
        return self.ledger.end(attempt_id)

    def share(self, attempt_id: str) -> Traffic:
        """What an attempt that runs has used until now."""
        self.look()
        return self.ledger.share(attempt_id)

    def jobs_within(self, seconds: float) -> list[JobOnRunner]:
        """The jobs that ran at some time within the last `seconds`, oldest first."""
        since = time.monotonic() - seconds
        return [job for job in self._jobs if job.ended_at is None or job.ended_at >= since]
