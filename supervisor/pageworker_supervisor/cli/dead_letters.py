"""`workerctl dead`: inspect, retry or delete dead-lettered jobs.

`retry` and `purge` take ids, not a filter. Write the ids to a file with `dead list --ids > ids.txt`, inspect the file,
then run `dead retry --ids-from ids.txt`. It changes exactly the dead letters in the file, and none that came later.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from pageworker_supervisor.cli.answers import DeadLetterAnswer, PurgedLetters
from pageworker_supervisor.cli.audited import Reason, audited, many, outcomes_text
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Count, Json, put, show, show_json, table
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.dead_letters import DeadLetter, JobPatch, Revived

app = App(name="dead", help="Inspect, retry or delete dead-lettered jobs.")

PAGE = 500

RetriedLetters = dict[str, Revived]
"""Of `dead retry`: what became of each id."""

LetterIds = Annotated[str, Parameter(help="Ids of dead letters, as `workerctl dead list` prints them.")]
IdsFrom = Annotated[
    Path | None,
    # Without this, cyclopts takes `-` for an option.
    Parameter(
        name="--ids-from", allow_leading_hyphen=True, help="File with one dead-letter id per line; `-` reads stdin."
    ),
]


@app.command(name="list")
def list_dead_letters(
    *,
    tenant: str | None = None,
    count: Count = 50,
    ids: Annotated[bool, Parameter(name="--ids", negative=(), help="Print only ids, as input for --ids-from.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List dead letters, newest first.

    Example: `workerctl dead list --tenant acme`.

    Parameters
    ----------
    tenant
        List only the dead letters of this tenant.
    count
        Maximum number of dead letters to list.
    """
    letters = asyncio.run(_read_dead_letters(config, tenant, count))
    if ids and not json:
        put("\n".join(printable(letter.id) for letter in letters))
        return
    rows = [(letter.id, letter.ref or "-", letter.reason) for letter in letters]
    show([_facts(letter) for letter in letters], table(("ID", "JOB", "REASON"), rows), json)


@app.command(name="show")
def show_dead_letter(letter_id: str, *, config: Config = None, json: Json = False) -> None:
    """Show one dead letter as JSON: the job as the producer pushed it, the last error and the attempts.

    Example: `workerctl dead show 0-1764230400000-0`.

    Parameters
    ----------
    letter_id
        Id of the dead letter, as `workerctl dead list` prints it.
    """

    async def read() -> DeadLetter | None:
        async with open_queue(config) as (_, queue, _settings):
            return await queue.dead_letters.show(letter_id)

    letter = asyncio.run(read())
    if letter is None:
        raise CommandError(f"there is no dead letter `{letter_id}`", "`workerctl dead list` prints the ids.")
    facts = _facts(letter)
    show_json(msgspec.json.encode(facts), json)


@app.command
def retry(
    *letter_ids: LetterIds,
    ids_from: IdsFrom = None,
    payload: str | None = None,
    module: str | None = None,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Queue the named dead-lettered jobs again.

    A job that is queued again may be retried as often as a new one: its crashes count from 0, and its retries from the
    `retry_count` of the job. The exit code is 1 if one of the jobs could not be queued. Example: `workerctl dead retry
    --ids-from ids.txt`.

    Parameters
    ----------
    payload
        JSON object that replaces the payload of each job.
    module
        Module, or module@version, that replaces the module of each job.
    """
    chosen = _ids(letter_ids, ids_from)

    async def send() -> RetriedLetters:
        edits = JobPatch(payload=payload.encode() if payload else None, endpoint_module=module)
        target, detail = many(chosen, "dead letters")
        async with (
            open_queue(config) as (_, queue, settings),
            audited(queue, settings, "dead retry", target, reason, detail) as action,
        ):
            outcomes = await queue.dead_letters.retry(chosen, edits)
            action.outcome = outcomes_text(outcomes.values())
            return outcomes

    try:
        outcomes = asyncio.run(send())
    except ContractError as error:
        raise CommandError(str(error), exit_code=CommandExit.USAGE) from error
    show(outcomes, table(("ID", "OUTCOME"), outcomes.items()), json)
    return CommandExit.DONE if set(outcomes.values()) <= {"queued"} else CommandExit.FAILED


@app.command
def purge(
    *letter_ids: LetterIds, ids_from: IdsFrom = None, reason: Reason = None, config: Config = None, json: Json = False
) -> None:
    """Delete the named dead letters for ever.

    Example: `workerctl dead purge --ids-from ids.txt`.
    """
    chosen = _ids(letter_ids, ids_from)

    async def delete() -> int:
        target, detail = many(chosen, "dead letters")
        async with (
            open_queue(config) as (_, queue, settings),
            audited(queue, settings, "dead purge", target, reason, detail) as action,
        ):
            purged = await queue.dead_letters.purge(chosen)
            action.outcome = f"{purged} deleted"
            return purged

    count = asyncio.run(delete())
    show(PurgedLetters(count), f"{count} deleted", json)


async def _read_dead_letters(config: Path | None, tenant: str | None, count: int) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    async with open_queue(config) as (_, queue, _settings):
        cursor = None
        while len(found) < count:
            page = await queue.dead_letters.page(min(PAGE, count - len(found)), cursor, tenant)
            found += page.letters
            cursor = page.cursor
            if cursor is None:
                break
    return found


def _ids(given: tuple[str, ...], file: Path | None) -> list[str]:
    try:
        text = "" if file is None else sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(f"--ids-from {file}: {reason}", exit_code=CommandExit.USAGE) from error
    chosen = [*given, *text.split()]
    if not chosen:
        raise CommandError(
            "no dead letter is named",
            "Name at least one dead-letter id, or give a file of ids with --ids-from.",
            CommandExit.USAGE,
        )
    return chosen


def _facts(letter: DeadLetter) -> DeadLetterAnswer:
    return DeadLetterAnswer(
        id=letter.id,
        job_id=letter.job_id,
        tenant_id=letter.tenant_id,
        reason=letter.reason,
        at_ms=letter.at_ms,
        retryable=letter.retryable,
        job=letter.job.decode(errors="replace"),
        detail=msgspec.json.decode(letter.detail or b"null"),
    )
