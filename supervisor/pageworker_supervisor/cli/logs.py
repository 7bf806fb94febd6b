"""`workerctl logs`: the newest log lines of the worker on this host."""

import datetime as dt
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from pageworker_supervisor.admin.log_stream import LogHead, LogLevel, LogRequest
from pageworker_supervisor.cli.connect import Config, worker_of
from pageworker_supervisor.cli.job_filter import TimeInvalid, instant_of
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, flush, note, put, show_json
from pageworker_supervisor.cli.worker import control_errors
from pageworker_supervisor.contract.printable import printable

NO_LINE = "The worker on this host keeps no such line."
OTHER_WORKER = "`workerctl jobs show {job} --timeline` names the workers that had the job."
OLDER = "Older ones are where its stdout goes: `journalctl -u pageworker`, or the log of the container."


def logs(
    job: str | None = None,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=())] = False,
    level: LogLevel = "debug",
    since: str | None = None,
    count: Annotated[int, Parameter(validator=Number(gte=0, lte=10_000))] = 200,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Show the newest log lines of the worker on this host, or of one job on it.

    The worker keeps its newest 10,000 lines, at most 4 MB, in memory. So the command works wherever the worker logs to.
    It cannot show lines of an earlier run, lines of other workers, lines that newer ones have pushed out, and lines
    below the setting `log.level`. A note on stderr says since when lines are kept, if older ones are gone.

    The exit code is 1 if there is no such line. The worker must run: the command uses its control socket, and needs no
    Redis. With --json, stdout gets one JSON object per line. Example: `workerctl logs acme/17`, or `workerctl logs
    --follow --level warning`.

    Parameters
    ----------
    job
        Name of a job, TENANT/ID. Default: all lines.
    follow
        Print new lines as they come, until Ctrl-C.
    level
        Lowest level to show.
    since
        Only lines since then: a duration such as 10m before now, or an RFC 3339 instant.
    count
        Show at most this number of the newest lines. With --follow: before the new ones.
    """
    request = LogRequest(
        job=None if job is None else str(job_named(job)),
        level=level,
        since_seconds=_seconds(since),
        count=count,
        follow=follow,
    )
    shown = 0
    with control_errors():
        for line in worker_of(config).logs(request):
            if isinstance(line, LogHead):
                _tell(line)
                continue
            if json:
                show_json(line, True)
            else:
                put(text_of(msgspec.json.decode(line)))
            flush()
            shown += 1
    if not shown and not follow:
        note(NO_LINE if job is None else f"{NO_LINE} {OTHER_WORKER.format(job=request.job)}")
        return CommandExit.FAILED
    return CommandExit.DONE


def text_of(line: dict[str, Any]) -> str:
    """A line for people, as the worker writes it with `log.format` text."""
    head = f"{line.pop('ts', '')} {str(line.pop('level', '')).upper():<7} {line.pop('message', '')}"
    trace = line.pop("exception", None)
    fields = " ".join(f"{name}={_value(value)}" for name, value in line.items())
    text = printable(f"{head}  {fields}" if fields else head)
    return text if trace is None else "\n".join([text, *(f"    | {printable(part)}" for part in trace.splitlines())])


def _value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return msgspec.json.encode(text).decode() if " " in text or not text else text


def _seconds(since: str | None) -> float | None:
    if since is None:
        return None
    now = dt.datetime.now(dt.UTC)
    try:
        return max(0.0, (now - instant_of(since, now)).total_seconds())
    except TimeInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid


def _tell(head: LogHead) -> None:
    if head.dropped and head.oldest is not None:
        oldest = dt.datetime.fromtimestamp(head.oldest, dt.UTC).isoformat(timespec="seconds")
        note(f"The worker keeps lines since {oldest}. {OLDER}")
    elif not head.kept:
        note(f"The worker keeps no line. {OLDER}")
