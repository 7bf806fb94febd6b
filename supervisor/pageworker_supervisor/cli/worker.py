"""`workerctl status|drain|undrain`: of the worker on this host, over its control socket; of the fleet, over Redis."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.admin.status import DrainLine, StatusReport
from pageworker_supervisor.cli.connect import CHECK_WORKER, Config, open_queue, worker_of
from pageworker_supervisor.cli.fleet_drain import drain_fleet, drain_target, undrain_fleet, undrained_text
from pageworker_supervisor.cli.fleet_status import fleet_text, size
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, put, show, table
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.fleet_status import FleetStatus, fleet_status

MOST_SECONDS = 86_400.0


def status(*, fleet: bool = False, config: Config = None, json: Json = False) -> CommandExit:
    """Show the state of the worker on this host, its runners and its running jobs; with --fleet, all workers.

    The exit code is 0 while the worker, or any worker of the fleet, takes jobs, else 1. With --fleet the command reads
    what the workers report in Redis, and needs no worker on this host. A worker that has not reported for 30 s is
    `unknown`.

    Example: `workerctl status --fleet`.

    Parameters
    ----------
    fleet
        Show all workers, the stored drains, what is paused, and the numbers of the queue.
    """
    if fleet:
        whole = asyncio.run(_fleet(config))
        show(whole, fleet_text(whole), json)
        return CommandExit.DONE if whole.totals.ready else CommandExit.FAILED
    with control_errors():
        report = worker_of(config).status()
    show(report, _text(report), json)
    return CommandExit.DONE if report.state == "ready" else CommandExit.FAILED


async def _fleet(config: Path | None) -> FleetStatus:
    async with open_queue(config) as (_, queue, _settings):
        everyone, stats = await queue.workers.everyone(), await queue.inspection.stats()
        return fleet_status(everyone, stats, await queue.pauses.all())


def drain(
    *,
    worker: str | None = None,
    tag: str | None = None,
    fleet: bool = False,
    deadline_seconds: float | None = None,
    cancel: bool = False,
    reason: str | None = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Stop claiming jobs, and wait until the running ones end.

    Without --worker, --tag and --fleet it drains the worker on this host, over its control socket. With one of them it
    stores the drain in Redis. Workers follow a stored drain, also those that start later, until `workerctl undrain`
    with the same option lifts it. Jobs that do not end before the deadline are requeued, and other workers run them.
    The command prints one line for each job. The exit code is 0 if every job ended, and 5 if jobs were requeued. Ctrl-C
    ends the command, and the drain goes on; the same command without other options watches it again.

    Example: `workerctl drain --tag eu --deadline-seconds 120 --reason "new kernel"`.

    Parameters
    ----------
    worker
        Drain the workers with this `worker.id`.
    tag
        Drain the workers with this tag (setting `worker.tags`).
    fleet
        Drain all workers.
    deadline_seconds
        Seconds to wait for running jobs. Default: `worker.drain_seconds`.
    cancel
        Cancel what still runs at the deadline, and do not requeue it.
    reason
        Why. `workerctl status --fleet` shows it.
    """
    target = drain_target(worker, tag, fleet=fleet)
    if deadline_seconds is not None and not 0 <= deadline_seconds <= MOST_SECONDS:
        what = f"--deadline-seconds is {deadline_seconds:g}"
        raise CommandError(what, f"Give 0 to {MOST_SECONDS:.0f}.", CommandExit.USAGE)
    lines: list[DrainLine] = []

    def put_line(line: DrainLine) -> None:
        lines.append(line)
        if not json:
            where = f"on {line.worker_id}" if line.worker_id else ""
            put(" ".join(printable(word) for word in (line.event, line.ref, line.module, where) if word))
            sys.stdout.flush()  # a pipe would keep the line until the drain is over

    if target is not None:
        code = drain_fleet(config, target, deadline_seconds, put_line, cancel=cancel, reason=reason or "")
        if json:
            show(lines, "", json)
        return code
    if reason:
        raise CommandError("--reason is for stored drains", "Add --worker, --tag or --fleet.", CommandExit.USAGE)
    try:
        with control_errors():
            for line in worker_of(config).drain(deadline_seconds, cancel=cancel):
                put_line(line)
    except KeyboardInterrupt:
        note("The drain goes on. Watch it again: workerctl drain\nLet the worker take jobs again: workerctl undrain")
        raise
    if json:
        show(lines, "", json)
    match lines[-1] if lines else None:
        case DrainLine(event="done"):
            return CommandExit.DONE
        case DrainLine(event="deadline", left=left):
            note(f"{left} jobs did not end before the deadline. They are queued again.")
            return CommandExit.DEADLINE
        case _:
            raise CommandError("the drain was given up: the worker takes jobs again, or it has ended", "Read its log.")


def undrain(
    *,
    worker: str | None = None,
    tag: str | None = None,
    fleet: bool = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Let the worker claim jobs again after a drain. It also stops a drain that still waits.

    Without --worker, --tag and --fleet the command uses the control socket of the worker on this host. With one of them
    it lifts the stored drain of this name. A worker that another stored drain is for stays drained.

    Example: `workerctl undrain --tag eu`.

    Parameters
    ----------
    worker
        Lift the drain of the workers with this `worker.id`.
    tag
        Lift the drain of this tag.
    fleet
        Lift the drain of all workers.
    """
    target = drain_target(worker, tag, fleet=fleet)
    if target is not None:
        undrained = undrain_fleet(config, target)
        show(undrained, undrained_text(undrained), json)
        return
    with control_errors():
        report = worker_of(config).undrain()
    show(report, f"{report.worker_id} is {report.state}", json)


@contextmanager
def control_errors() -> Iterator[None]:
    """Errors of the control socket end the command."""
    try:
        yield
    except ControlError as error:
        mend = CHECK_WORKER if error.exit_code == CommandExit.UNREACHABLE else ""
        raise CommandError(printable(error), mend, CommandExit(error.exit_code)) from error


def _state(report: StatusReport) -> str:
    if report.state == "draining" and report.reason in ("draining", "drained"):
        return report.reason  # the reason is the exact state; `draining` stands for both
    return f"{report.state} ({printable(report.reason)})" if report.reason else report.state


def _text(report: StatusReport) -> str:
    parts = [
        f"{report.worker_id} is {_state(report)}",
        f"pageworker {report.version}, up {report.uptime_seconds:.0f} s, Redis {printable(report.redis.url)}",
    ]
    if report.config.version:
        waits = ", ".join(map(printable, report.config.waiting_for_restart))
        parts.append(
            f"central configuration: version {report.config.version} by {printable(report.config.who)}"
            + (f"; a restart is needed for {waits}" if waits else "")
        )
    if report.config.source_trouble:
        parts.append(f"central configuration: {printable(report.config.source_trouble)}")
    if report.trust_trouble:
        parts.append(f"trust file refused, the keys from before still count: {printable(report.trust_trouble)}")
    if report.blocker_rules.serial:
        parts.append(f"blocker rules {printable(report.blocker_rules.version)}, serial {report.blocker_rules.serial}")
    if report.blocker_rules.trouble:
        parts.append(f"blocker rules refused, those from before still count: {printable(report.blocker_rules.trouble)}")
    if report.upstreams_down:
        down = [(one.policy, one.upstream, one.country or "-", one.reason) for one in report.upstreams_down]
        parts.append(table(("PROXY", "UPSTREAM DOWN", "COUNTRY", "REASON"), down))
    if report.runners:
        rows = [
            (
                runner.runner_id,
                runner.tenant_id,
                runner.profile_id or "-",
                runner.state,
                runner.pages.get("running", 0),
                runner.jobs_done,
                f"{runner.uptime_seconds:.0f} s",
                "?" if runner.memory_bytes is None else size(runner.memory_bytes),
            )
            for runner in report.runners
        ]
        parts.append(table(("RUNNER", "TENANT", "PROFILE", "STATE", "RUNNING", "DONE", "UP", "MEMORY"), rows))
    if report.jobs:
        jobs = [
            (
                *(job.ref, job.module, job.attempt, f"{job.since_seconds:.1f} s"),
                *(job.requests, job.bytes_in, job.bytes_out),
            )
            for job in report.jobs
        ]
        parts.append(table(("JOB", "MODULE", "ATTEMPT", "SINCE", "REQUESTS", "BYTES IN", "BYTES OUT"), jobs))
    return "\n\n".join(parts)
