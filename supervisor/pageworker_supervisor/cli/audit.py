"""`workerctl audit`: lists, verifies and exports the log of who changed what."""

import asyncio
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_supervisor.audit.audit_log import read_lines, verify_store
from pageworker_supervisor.audit.chain import ChainReport, verify_chain
from pageworker_supervisor.audit.errors import AuditRefused
from pageworker_supervisor.audit.key_file import read_key
from pageworker_supervisor.audit.record import AuditKey, AuditLine, encode_line, parse_line
from pageworker_supervisor.cli.audited import REQUESTED, checkpoint_file, key_path
from pageworker_supervisor.cli.connect import Config, open_queue, settings_of
from pageworker_supervisor.cli.job_filter import TimeInvalid, instant_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Count, Json, note, put, show, table
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.utc_time import utc_time

app = App(name="audit", help="List, verify and export the log of who changed what.")

MOST_LOOKED_AT = 10_000
HEADS = ("NUMBER", "TIME", "WHO", "HOST", "ACTION", "TARGET", "OUTCOME", "REASON")

KeyFiles = Annotated[
    tuple[Path, ...] | None,
    Parameter(
        name="--key-file",
        negative=(),
        consume_multiple=True,
        help="Further keys, of other hosts or of before a key was replaced.",
    ),
]


@app.command(name="list")
def list_records(
    *,
    count: Count = 50,
    action: str = "*",
    target: str = "*",
    since: str | None = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the newest records of the audit log, oldest first. The codes are not verified: see `audit verify`.

    A command is recorded before it acts and again with its outcome. The list shows both as one row: `requested` means
    that no outcome is recorded. With --json, each record is listed as it is stored. Example: `workerctl audit list
    --action 'config.*'`.

    Parameters
    ----------
    count
        Maximum number of records to list. They are chosen from the newest 10,000.
    action
        List only records with this action; a glob such as `dead.*`.
    target
        List only records with this target; a glob such as `acme/*`.
    since
        List only records since then: a duration such as 10m before now, or an RFC 3339 instant.
    """
    try:
        from_ms = None if since is None else instant_of(since, dt.datetime.now(dt.UTC)).timestamp() * 1000
    except TimeInvalid as invalid:
        raise CommandError(f"--since: {invalid}", exit_code=CommandExit.USAGE) from invalid

    async def read() -> list[AuditLine]:
        async with open_queue(config) as (_, queue, _settings):
            lines = [line async for line in read_lines(queue.audit, MOST_LOOKED_AT) if line is not None]
        return [
            line
            for line in lines
            if fnmatchcase(str(line.record.get("action", "")), action)
            and fnmatchcase(str(line.record.get("target", "")), target)
            and (from_ms is None or _time_ms(line) >= from_ms)
        ]

    found = asyncio.run(read())
    show(found[-count:], table(HEADS, list(_rows(found))[-count:]), json)


@app.command
def verify(
    *, file: Path | None = None, key_file: KeyFiles = None, config: Config = None, json: Json = False
) -> CommandExit:
    """Check that no record of the audit log was changed, removed, reordered or cut off.

    The exit code is 1 if something is wrong, or if records are made with a key that is not known here. The newest
    record that this host has seen must be in the log; without --file it is remembered for the next time.
    Example: `workerctl audit verify`.

    Parameters
    ----------
    file
        Verify an exported file, without Redis. It may end before the newest record of the log.
    """
    settings = settings_of(config)
    keys = _keys(settings, key_file)
    if file is not None:
        report = verify_chain(_lines_of(file), keys)
    else:
        report, _ = asyncio.run(_verified(config, keys))
    text = _text(report)
    show(report, text, json)
    return CommandExit.DONE if report.whole else CommandExit.FAILED


@app.command
def export(*, output: Path | None = None, key_file: KeyFiles = None, config: Config = None) -> CommandExit:
    """Write all records as JSON lines, which `audit verify --file` verifies without Redis.

    The log is verified at the same time. The exit code is 1 if something is wrong; all records are written
    nevertheless. Example: `workerctl audit export --output audit.jsonl`.

    Parameters
    ----------
    output
        File to write. It must not exist. Default: stdout.
    """
    settings = settings_of(config)
    report, lines = asyncio.run(_verified(config, _keys(settings, key_file)))
    if output is None:
        for line in lines:
            put(encode_line(line).decode())
    else:
        try:
            with output.open("xb") as opened:
                opened.writelines(encode_line(line) + b"\n" for line in lines)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}", exit_code=CommandExit.FAILED) from error
    note(_text(report))
    return CommandExit.DONE if report.whole else CommandExit.FAILED


async def _verified(config: Path | None, keys: dict[str, AuditKey]) -> tuple[ChainReport, list[AuditLine]]:
    async with open_queue(config) as (_, queue, settings):
        checkpoint = checkpoint_file(settings)
        try:
            report, lines = await verify_store(queue.audit, keys, checkpoint)
        except AuditRefused as refused:
            raise CommandError(printable(str(refused)), refused.mend, CommandExit.FAILED) from refused
    kept = checkpoint.read()
    if report.whole and report.last > 0 and (kept is None or kept.number < report.last):
        note(
            printable(f"{checkpoint.path} cannot be written: this host does not remember the newest record, and cannot")
            + " tell if the log is cut off later. Let the user of this command write that folder."
        )
    return report, lines


def _keys(settings: Settings, files: Sequence[Path] | None) -> dict[str, AuditKey]:
    try:
        found = [read_key(file) for file in (key_path(settings), *(files or ()))]
    except AuditRefused as refused:
        raise CommandError(str(refused), refused.mend, CommandExit.REFUSED) from refused
    return {key.id: key for key in found}


def _lines_of(file: Path) -> Iterator[AuditLine | None]:
    try:
        with file.open("rb") as opened:
            for text in opened:
                yield parse_line(text)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", exit_code=CommandExit.USAGE) from error


def _text(report: ChainReport) -> str:
    if report.last == 0 and not report.findings:
        return "The audit log has no records."
    lines = [f"records {report.first} to {report.last}: {report.verified} verified"]
    lines += [
        f"{count} of the unknown key {printable(key)} cannot be verified" for key, count in report.unverifiable.items()
    ]
    lines += [f"{finding.fault}: {printable(finding.text)}" for finding in report.findings]
    if report.more_findings:
        lines.append(f"and {report.more_findings} more")
    lines.append("The log is whole." if report.whole else "The log is not whole, or cannot be verified.")
    return "\n".join(lines)


def _time_ms(line: AuditLine) -> int:
    """Of a record. One that no writer of ours made may have no time: it is older than all others."""
    at_ms = line.record.get("at_ms")
    return at_ms if isinstance(at_ms, int) else 0


def _rows(lines: Iterable[AuditLine]) -> Iterator[tuple[object, ...]]:
    """One row per action: the outcome of a command is in a record of its own."""
    kept = list(lines)
    outcomes = {of: line for line in kept if isinstance(of := line.record.get("of"), int)}
    for line in kept:
        record = line.record
        if record.get("of"):
            continue
        outcome = record.get("outcome", "")
        if outcome == REQUESTED and line.number in outcomes:
            outcome = outcomes[line.number].record.get("outcome", "")
        at_ms = record.get("at_ms")
        at = utc_time(at_ms // 1000) if isinstance(at_ms, int) else None
        time = "?" if at is None else at.isoformat(timespec="seconds")
        yield (
            *(line.number, time, f"{record.get('name', '')} ({record.get('kind', '')})", record.get("host", "")),
            *(record.get("action", ""), record.get("target", ""), outcome, record.get("reason", "")),
        )
