"""`workerctl status|drain|resume|cancel`: what is asked of the worker on this host."""

from collections.abc import Iterator
from contextlib import contextmanager

from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.admin.status import DrainLine, StatusReport
from pageworker_supervisor.cli.connect import Config, worker_of
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, put, show, table
from pageworker_supervisor.contract.printable import printable


def status(*, config: Config = None, json: Json = False) -> CommandExit:
    """Show the worker: its state, its runners, the jobs at work. Ends with 1 while it takes no jobs."""
    with _said():
        report = worker_of(config).status()
    show(report, _text(report), json)
    return CommandExit.DONE if report.state == "ready" else CommandExit.FAILED


def drain(*, deadline_seconds: float | None = None, config: Config = None, json: Json = False) -> CommandExit:
    """Claim no more, finish what runs, hand back what does not finish in time.

    Prints a line for each job that is waited for. Ends with 5 where jobs had to be handed back.

    Parameters
    ----------
    deadline_seconds
        How long to wait. Default: the worker's `worker.drain_seconds`.
    """
    last = None
    lines = []
    with _said():
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
            note(f"{left} jobs did not finish in time and were handed back")
            return CommandExit.DEADLINE
        case _:
            raise CommandError("the drain was given up: the worker takes jobs again, or has ended", "see its log")


def resume(*, config: Config = None, json: Json = False) -> None:
    """Take jobs again after a drain."""
    with _said():
        report = worker_of(config).undrain()
    show(report, f"{report.worker_id} is {report.state}", json)


def cancel(job: str, *, config: Config = None, json: Json = False) -> CommandExit:
    """Cancel a job, whatever state it is in. Ends with 1 where it had ended before.

    A job that the queue does not know yet is cancelled when it is taken in; `jobs.cancel_memory_seconds` says how long
    that is remembered.

    Parameters
    ----------
    job
        TENANT/ID, e.g. acme/17.
    """
    ref = job_named(job)
    with _said():
        answer = worker_of(config).cancel(ref)
    unseen = ", not known yet: it is cancelled should it come" if answer.outcome == "cancelling" else ""
    show(answer, f"{ref}: {answer.outcome}{'' if answer.known else unseen}", json)
    return CommandExit.DONE if answer.outcome in ("cancelled", "cancelling") else CommandExit.FAILED


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except ControlError as error:
        raise CommandError(printable(error), exit_code=CommandExit(error.exit_code)) from error


def _text(report: StatusReport) -> str:
    parts = [
        f"{report.worker_id} is {report.state}" + (f" ({printable(report.reason)})" if report.reason else ""),
        f"pageworker {report.version}, up {report.uptime_seconds:.0f} s, Redis {printable(report.redis.url)}",
    ]
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
        jobs = [(job.ref, job.module, job.attempt, f"{job.since_seconds:.1f} s") for job in report.jobs]
        parts.append(table(("JOB", "MODULE", "ATTEMPT", "SINCE"), jobs))
    return "\n\n".join(parts)
