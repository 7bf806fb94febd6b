"""What a command sees of a stored drain: which jobs its workers still run, and when all of them are drained. Pure."""

from collections.abc import Sequence

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_workers import (
    EVERY_WORKER,
    StoredDrain,
    WorkersPage,
    drain_of_tag,
    drain_of_worker,
)
from pageworker_supervisor.queue.views import JobView

AFTER_DEADLINE_SECONDS = 30.0
"""Workers requeue or cancel jobs, close runners and report within this time after the deadline."""


def is_for(drain: StoredDrain, report: WorkerReport) -> bool:
    """Whether the drain is for the worker of this report."""
    names = (EVERY_WORKER, drain_of_worker(report.worker_id), *map(drain_of_tag, report.tags))
    return drain.name in names


class DrainWatch:
    """One drain, over several looks at Redis."""

    def __init__(self) -> None:
        self.waiting: dict[JobRef, str] = {}
        """Jobs that workers of the drain run: the name of the worker."""
        self.undrained: list[str] = []
        """Workers, by `worker.id`, that report and are not drained yet."""
        self.unknown: list[str] = []
        """Workers that are silent: nothing is known of them. Their leases end by themselves."""

    def look(
        self, drain: StoredDrain, page: WorkersPage, running: Sequence[JobView]
    ) -> tuple[list[tuple[JobRef, str]], list[tuple[JobRef, str]]]:
        """Take in what Redis has now. Returns the jobs that came, and those that are gone, each with its worker."""
        found = [heard.report for heard in page.workers if heard.report is not None and is_for(drain, heard.report)]
        names = {report.name: report.worker_id for report in found}
        self.unknown = [report.worker_id for report in found if report.silent(page.now)]
        self.undrained = [report.worker_id for report in found if not report.silent(page.now) and not _drained(report)]
        now = {view.ref: names[view.worker_id] for view in running if view.worker_id in names}
        came = [(ref, worker) for ref, worker in now.items() if ref not in self.waiting]
        gone = [(ref, worker) for ref, worker in self.waiting.items() if ref not in now]
        self.waiting = now
        return came, gone

    @property
    def done(self) -> bool:
        """Every worker that reports is drained, and none of their jobs is left."""
        return not self.undrained and not self.waiting

    def over(self, drain: StoredDrain, now: float) -> bool:
        """Nothing more is to be expected at `now`, Unix seconds on Redis' clock."""
        return now > drain.deadline_ms / 1000 + AFTER_DEADLINE_SECONDS


def _drained(report: WorkerReport) -> bool:
    return (report.state, report.reason) == ("draining", "drained") or report.state == "stopped"
