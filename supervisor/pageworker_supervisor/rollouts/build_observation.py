"""Counts what canary and stable workers did, from results and from the workers' reports in Redis. Pure.

Both are there whatever build a worker runs: each result names its attempts with their workers, and each worker reports
its tags. So the stable workers need no change, and a job costs Redis no more.

- An attempt counts if it began after the watch did, once its job has a result. It has failed if its outcome is `failed`
  or `timed_out`, if its runner died, or if its module rejected the job.
- A lease is lost if Redis took the job back. A worker that dies loses all of its leases at once: they are one hit.
- A worker has restarted if its run ended without a drain. Each minute in which a worker reports is one trial, with one
  hit at most.
"""

from collections import Counter
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.result import AttemptRecord
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_workers import WorkersPage
from pageworker_supervisor.rollouts.observation import seconds_bucket

FAILED = frozenset({"failed", "timed_out", "lost"})
ONE_LOSS_SECONDS = 60.0
"""Leases that a worker loses within this time are one hit."""
PLANNED_ENDS = frozenset({"draining", "stopped"})

Arm = Literal["old", "new"]


class _AttemptsPart(Struct):
    """What is counted of a result. The rest, such as `data`, is skipped."""

    status: str
    attempts: tuple[AttemptRecord, ...] = ()
    module_version: str | None = None
    worker_id: str | None = None


class _WorkerRun(Struct):
    """One run of a worker, as it reported last."""

    name: str
    state: str
    silent: bool


_attempts_part = msgspec.json.Decoder(_AttemptsPart)


class BuildObservation:
    """The counts of one watch."""

    def __init__(self, canary: str, stable: str | None, since: float) -> None:
        """`canary`, `stable`: tags of workers; stable None: all others. `since`: Unix seconds on Redis' clock."""
        self.counts: Counter[str] = Counter()
        self.workers: dict[str, Arm] = {}
        """By `worker.id`."""
        self._canary = canary
        self._stable = stable
        self._since = since
        self._names: dict[str, str] = {}
        """`worker.id` of each run, also of those that are over."""
        self._runs: dict[str, _WorkerRun] = {}
        """By `worker.id`."""
        self._last_loss: dict[str, float] = {}
        self._minute = 0
        self._minutes: dict[str, bool] = {}
        """Workers that reported in this minute: whether they have restarted."""

    def take_reports(self, page: WorkersPage) -> None:
        """Every worker that Redis has now."""
        self._end_minute(page.now)
        newest: dict[str, WorkerReport] = {}
        for report in sorted((one.report for one in page.workers if one.report is not None), key=_started):
            arm = self._arm(report)
            if arm is not None:
                newest[report.worker_id] = report
                self.workers[report.worker_id] = arm
                self._names[report.name] = report.worker_id
        for worker_id, run in tuple(self._runs.items()):
            if worker_id not in newest or newest[worker_id].name != run.name:
                self._end_run(worker_id, run, again=worker_id in newest)
        for worker_id, report in newest.items():
            silent = report.silent(page.now)
            self._runs[worker_id] = _WorkerRun(report.name, report.state, silent)
            if not silent:
                self._minutes.setdefault(worker_id, False)

    def take_result(self, untrusted_text: bytes) -> None:
        """One result. A text that is none, which a user of Redis may add, is left out."""
        try:
            result = _attempts_part.decode(untrusted_text)
        except UNREADABLE:
            return
        for attempt in result.attempts:
            if attempt.started_at.timestamp() >= self._since:
                self._take_attempt(attempt)
        arm = self.workers.get(result.worker_id or "")
        # Without a version it was rejected before a worker chose one: that says nothing about the worker.
        if arm is not None and result.status == "rejected" and result.module_version is not None:
            self.counts.update((f"{arm}.jobs", f"{arm}.tries", f"{arm}.failed"))

    def _take_attempt(self, attempt: AttemptRecord) -> None:
        worker_id = self._names.get(attempt.worker_id, attempt.worker_id)
        arm = self.workers.get(worker_id)
        if arm is None or attempt.outcome == "cancelled":
            return
        if attempt.outcome == "lost" and attempt.reason is None:
            ended = attempt.started_at.timestamp() + attempt.duration_seconds
            if abs(ended - self._last_loss.get(worker_id, -ONE_LOSS_SECONDS)) >= ONE_LOSS_SECONDS:
                self._last_loss[worker_id] = ended
                self.counts.update((f"{arm}.tries", f"{arm}.losses"))
            return
        self.counts.update((f"{arm}.jobs", f"{arm}.tries"))
        if attempt.outcome in FAILED:
            self.counts[f"{arm}.failed"] += 1
        elif attempt.outcome == "blocked":
            self.counts[f"{arm}.blocked"] += 1
        elif attempt.outcome == "succeeded":
            self.counts[f"{arm}.seconds.{seconds_bucket(attempt.duration_seconds)}"] += 1

    def _arm(self, report: WorkerReport) -> Arm | None:
        if self._canary in report.tags:
            return "new"
        return "old" if self._stable is None or self._stable in report.tags else None

    def _end_run(self, worker_id: str, run: _WorkerRun, *, again: bool) -> None:
        """A run is gone. A worker that is stopped takes its report away; of one that died, the report stays until it is
        old, or until the next run begins."""
        if run.state not in PLANNED_ENDS and (again or run.silent):
            self._minutes[worker_id] = True
        del self._runs[worker_id]

    def _end_minute(self, now: float) -> None:
        """Count the minute once it is over: a restart at its end is one of its hits."""
        minute = int(now // 60)
        if minute == self._minute:
            return
        for worker_id, restarted in self._minutes.items():
            arm = self.workers[worker_id]
            self.counts[f"{arm}.minutes"] += 1
            self.counts[f"{arm}.restarts"] += restarted
        self._minute, self._minutes = minute, {}


def _started(report: WorkerReport) -> float:
    return report.started_at
