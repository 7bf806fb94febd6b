"""What a worker reports of itself, its runners, its jobs and its drain. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from pageworker_sandbox.state_machine import label
from pageworker_sandbox.wire.messages import BROWSER_CLOSE_SECONDS
from pageworker_supervisor.admin.status import (
    AdmissionReport,
    DrainLine,
    RedisReport,
    RightsReport,
    RunnerReport,
    RunningJob,
)
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.profile_login import ProfileLogin
from pageworker_supervisor.contract.worker_report import (
    RUNNERS_REPORTED,
    RefusedModule,
    ReportedRunner,
    ReportedState,
    WorkerReport,
)
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.dispatch.recent_service import RecentService
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.host.capabilities import own_rights
from pageworker_supervisor.host.load_level import LoadLevel
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry.blocker_rules import BlockerRulesFollower, BlockerRulesReport
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.load_watch import LoadWatch
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.spares import UNASSIGNED
from pageworker_supervisor.worker_state import WorkerState

CALLBACK_GRACE_SECONDS = 3.0
REQUEUE_SECONDS = 5.0
"""After the deadline of a drain: time for runners to end and for jobs to be requeued."""
REST_SECONDS = 30.0

REPORTED: dict[WorkerState, ReportedState] = {
    WorkerState.STARTING: "starting",
    WorkerState.READY: "ready",
    WorkerState.DRAINING: "draining",
    WorkerState.DRAINED: "draining",
    WorkerState.STOPPING: "stopped",
}


class RulesHolder(Protocol):
    """What has the blocker rules of a worker."""

    blocker_rules: BlockerRulesFollower


def rules_report(holder: RulesHolder | None) -> BlockerRulesReport:
    """The blocker rules that count now."""
    return holder.blocker_rules.report() if holder else BlockerRulesReport()


def redis_trouble(redis_client: RedisClient | None) -> str:
    """Why Redis, or the Redis that producers push to, does not serve everything; "" while it does."""
    if redis_client is None:
        return ""
    if trouble := redis_client.availability.trouble:
        return trouble
    ingress = redis_client.ingress.availability.trouble if redis_client.ingress is not redis_client else ""
    return f"redis.ingress_url: {ingress}" if ingress else ""


def redis_report(redis_client: RedisClient | None) -> RedisReport:
    """The connection to Redis. None: there is none yet."""
    return RedisReport(
        connected=redis_client is not None and redis_client.availability.up,
        url=redis_client.safe_url if redis_client else "",
    )


def rights_report(uids: IdRange | None) -> RightsReport:
    """What this process may do. `uids`: the user ids of its sandboxes, if they have own ones."""
    rights = own_rights()
    return RightsReport(uid=rights.uid, capabilities=rights.capabilities, own_user_ids=uids is not None)


LEVELS: dict[LoadLevel, Literal["open", "no_new_runners", "no_jobs"]] = {
    LoadLevel.OPEN: "open",
    LoadLevel.NO_NEW_RUNNERS: "no_new_runners",
    LoadLevel.NO_JOBS: "no_jobs",
}


def admission_report(watch: LoadWatch) -> AdmissionReport:
    """What the load of the host permits."""
    load: dict[str, float] = {name: round(percent, 1) for name, percent in watch.load.items()}
    return AdmissionReport(level=LEVELS[watch.level], reason=watch.reason, load_percent=load)


class WorkerNow(Struct, frozen=True, kw_only=True):
    """What is true of the worker at the moment of a report, beside its settings, its runners and its jobs."""

    name: str
    host: str
    version: str
    state: ReportedState
    reason: str
    started_at: float
    draining_until: float | None
    config_version: int
    modules_refused: tuple[RefusedModule, ...] = ()


def worker_report(
    now: WorkerNow, settings: Settings, runners: Sequence[Runner], jobs_running: int, service: RecentService
) -> WorkerReport:
    """The report for the fleet."""
    largest = sorted(runners, key=lambda runner: runner.memory_bytes or 0, reverse=True)[:RUNNERS_REPORTED]
    return WorkerReport(
        worker_id=settings.worker.id,
        name=now.name,
        host=now.host,
        version=now.version,
        state=now.state,
        reason=now.reason,
        tags=settings.worker.tags,
        started_at=now.started_at,
        runner_slots=settings.pool.runners,
        pages=settings.pool.runners * settings.pool.pages,
        runners_up=sum(runner.context not in UNASSIGNED for runner in runners),
        jobs_running=jobs_running,
        draining_until=now.draining_until,
        config_version=now.config_version,
        service_seconds=service.service_seconds,
        jobs_per_minute=service.jobs_per_minute,
        modules_refused=now.modules_refused,
        memory_bytes=sum(runner.memory_bytes or 0 for runner in runners),
        runners=tuple(
            ReportedRunner(
                runner_id=runner.runner_id,
                tenant_id=None if runner.context in UNASSIGNED else runner.context.tenant_id,
                state=label(runner.state),
                pages=runner.pages,
                running=len(runner.running),
                memory_bytes=runner.memory_bytes,
            )
            for runner in largest
        ),
    )


class ReportedParts(Protocol):
    """The components that know runners, and the logins of their profiles."""

    fleet: Fleet
    settlement: Settlement


def runner_reports(components: ReportedParts | None, now: float) -> tuple[RunnerReport, ...]:
    """All runners. `now`: monotonic seconds."""
    if components is None:
        return ()
    logins = components.settlement.logins.states
    return tuple(
        runner_report(runner, now, logins.get((runner.context.tenant_id, runner.context.profile_id)))
        for runner in components.fleet.runners.values()
    )


def runner_report(runner: Runner, now: float, login: ProfileLogin | None = None) -> RunnerReport:
    """One runner. `now`: monotonic seconds. `login`: of its profile."""
    return RunnerReport(
        runner_id=runner.runner_id,
        tenant_id=None if runner.context in UNASSIGNED else runner.context.tenant_id,
        profile_id=runner.context.profile_id,
        login=login.value if login is not None else None,
        state=label(runner.state),
        pages={"taken": runner.taken, "running": len(runner.running)},
        jobs_done=runner.jobs_done,
        uptime_seconds=round(now - runner.since, 3),
        pid=runner.process.pid if runner.process else None,
        memory_bytes=runner.memory_bytes,
        evidence=runner.evidence,
        proof=runner.proof,
    )


def running_jobs(attempts: Iterable[Attempt], now: float) -> tuple[RunningJob, ...]:
    """All jobs at work. `now`: monotonic seconds."""
    return tuple(running_job(attempt, now) for attempt in attempts)


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


def longest_stop_seconds(settings: Settings) -> float:
    """From SIGTERM to the end, at most: jobs, callbacks, profiles, then the daemon's own Redis and what is left."""
    return (
        settings.worker.drain_seconds
        + REQUEUE_SECONDS
        + settings.callbacks.timeout_seconds
        + CALLBACK_GRACE_SECONDS
        + BROWSER_CLOSE_SECONDS
        + REST_SECONDS
    )
