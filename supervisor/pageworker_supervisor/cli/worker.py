"""`workerctl status|drain|undrain`: requests to the worker on this host, over its control socket."""

from collections.abc import Iterator
from contextlib import contextmanager

from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.admin.status import DrainLine, StatusReport
from pageworker_supervisor.cli.connect import Config, worker_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, put, show, table
from pageworker_supervisor.contract.printable import printable


def status(*, config: Config = None, json: Json = False) -> CommandExit:
    """Show the state of the worker on this host, its runners and its running jobs.

    The exit code is 0 while the worker takes jobs, else 1.

    Example: `workerctl status --json`.
    """
    with control_errors():
        report = worker_of(config).status()
    show(report, _text(report), json)
    return CommandExit.DONE if report.state == "ready" else CommandExit.FAILED


def drain(*, deadline_seconds: float | None = None, config: Config = None, json: Json = False) -> CommandExit:
    """Stop claiming jobs, and wait until the running ones end.

    The worker requeues the jobs that do not end before the deadline; another worker runs them. The command prints one
    line for each job. The exit code is 0 if every job ended, and 5 if jobs were requeued. `workerctl undrain` lets the
    worker claim jobs again. The worker on this host must run: the command uses its control socket.

    Example: `workerctl drain --deadline-seconds 60`.

    Parameters
    ----------
    deadline_seconds
        Seconds to wait for running jobs. Default: `worker.drain_seconds` of the worker.
    """
    last = None
    lines = []
    with control_errors():
        for line in worker_of(config).drain(deadline_seconds):
            last = line
            if json:
                lines.append(line)
            else:
                put(" ".join(printable(word) for word in (line.event, line.ref, line.module) if word))
    if json:
        show(lines, "", json)
    match last:
        case DrainLine(event="done"):
            return CommandExit.DONE
        case DrainLine(event="deadline", left=left):
            note(f"{left} jobs did not end before the deadline. They are queued again.")
            return CommandExit.DEADLINE
        case _:
            raise CommandError("the drain was given up: the worker takes jobs again, or it has ended", "Read its log.")


def undrain(*, config: Config = None, json: Json = False) -> None:
    """Let the worker claim jobs again after a drain. It also stops a drain that still waits.

    The worker on this host must run: the command uses its control socket.

    Example: `workerctl undrain`.
    """
    with control_errors():
        report = worker_of(config).undrain()
    show(report, f"{report.worker_id} is {report.state}", json)


@contextmanager
def control_errors() -> Iterator[None]:
    """Errors of the control socket end the command."""
    try:
        yield
    except ControlError as error:
        raise CommandError(printable(error), exit_code=CommandExit(error.exit_code)) from error


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
            )
            for runner in report.runners
        ]
        parts.append(table(("RUNNER", "TENANT", "PROFILE", "STATE", "RUNNING", "DONE", "UP"), rows))
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
