"""What a worker reports of its runners, its jobs and its drain. Pure."""

from typing import Literal

from pageworker_sandbox.state_machine import label
from pageworker_supervisor.admin.status import DrainLine, RunnerReport, RunningJob
from pageworker_supervisor.contract.worker_report import ReportedState
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.runners.placement import NO_TENANT
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.worker_state import WorkerState

REPORTED: dict[WorkerState, ReportedState] = {
    WorkerState.STARTING: "starting",
    WorkerState.READY: "ready",
    WorkerState.DRAINING: "draining",
    WorkerState.DRAINED: "draining",
    WorkerState.STOPPING: "stopped",
}


def runner_report(runner: Runner, now: float) -> RunnerReport:
    """One runner. `now`: monotonic seconds."""
    return RunnerReport(
        runner_id=runner.runner_id,
        tenant_id=None if runner.context == NO_TENANT else runner.context.tenant_id,
        profile_id=runner.context.profile_id,
        state=label(runner.state),
        pages={"taken": runner.taken, "running": len(runner.running)},
        jobs_done=runner.jobs_done,
        uptime_seconds=round(now - runner.since, 3),
        pid=runner.process.pid if runner.process else None,
        memory_bytes=runner.memory_bytes,
        evidence=runner.evidence,
        proof=runner.proof,
    )


def running_job(attempt: Attempt, now: float) -> RunningJob:
    """One job at work. `now`: monotonic seconds."""
    traffic = attempt.lease.traffic + attempt.traffic
    return RunningJob(
        job_id=attempt.job.job_id,
        tenant_id=attempt.job.tenant_id,
        module=attempt.job.endpoint_module,
        attempt=attempt.number,
        since_seconds=round(now - attempt.claimed_at, 3),
        runner_id=attempt.runner.runner_id if attempt.runner else None,
        requests=traffic.requests,
        bytes_in=traffic.bytes_in,
        bytes_out=traffic.bytes_out,
    )


def drain_line(event: Literal["waiting", "ended", "requeued"], attempt: Attempt, now: float) -> DrainLine:
    """One job that a drain waits for. `now`: monotonic seconds."""
    return DrainLine(
        event=event,
        job_id=attempt.job.job_id,
        tenant_id=attempt.job.tenant_id,
        module=attempt.job.endpoint_module,
        since_seconds=round(now - attempt.claimed_at, 3),
    )
