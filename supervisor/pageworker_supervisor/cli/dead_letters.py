"""`workerctl dead`: jobs that came to no good end. Look, send again, throw away.

A bulk action takes ids, not a filter: `dead list --ids > set.txt`, look at it, then `dead retry --ids-from set.txt`.
So it touches exactly the set that was looked at, whatever has died since.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show, show_json, table
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.dead_letters import DeadLetter, JobPatch

app = App(name="dead", help="Jobs that came to no good end: look, send again, throw away.")

PAGE = 500

IdsFrom = Annotated[Path | None, Parameter(name="--ids-from", help="File with one id a line, `-` for stdin.")]


@app.command(name="list")
def list_letters(
    *,
    tenant: str | None = None,
    count: int = 50,
    ids: Annotated[bool, Parameter(name="--ids", negative=(), help="Print ids alone, for --ids-from.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List dead letters, newest first.

    Parameters
    ----------
    tenant
        Only this tenant's.
    count
        At most so many.
    """
    letters = asyncio.run(_letters(config, tenant, count))
    if ids and not json:
        put("\n".join(printable(letter.id) for letter in letters))
        return
    rows = [(letter.id, letter.ref or "-", letter.reason) for letter in letters]
    show([_facts(letter) for letter in letters], table(("ID", "JOB", "REASON"), rows), json)


@app.command(name="show")
def show_letter(letter_id: str, *, config: Config = None, json: Json = False) -> None:
    """Show one dead letter: the job as it was pushed, the last error, the attempts."""

    async def read() -> DeadLetter | None:
        async with open_queue(config) as (_, queue, _settings):
            return await queue.dead_letters.show(letter_id)

    letter = asyncio.run(read())
    if letter is None:
        raise CommandError(f"there is no dead letter {letter_id}", "`workerctl dead list` shows what there is")
    facts = _facts(letter)
    show_json(msgspec.json.encode(facts), json)


@app.command
def retry(
    *letter_ids: str,
    ids_from: IdsFrom = None,
    payload: str | None = None,
    module: str | None = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Queue exactly these jobs again, with fresh attempts. Ends with 1 where one of them could not be.

    Parameters
    ----------
    payload
        JSON object that takes the place of each job's payload.
    module
        Module, or module@version, that takes the place of each job's.
    """
    chosen = _ids(letter_ids, ids_from)

    async def send() -> dict[str, str]:
        edits = JobPatch(payload=payload.encode() if payload else None, endpoint_module=module)
        async with open_queue(config) as (_, queue, _settings):
            return dict(await queue.dead_letters.retry(chosen, edits))

    try:
        became = asyncio.run(send())
    except ContractError as error:
        raise CommandError(str(error), exit_code=CommandExit.USAGE) from error
    show(became, table(("ID", "OUTCOME"), became.items()), json)
    return CommandExit.DONE if set(became.values()) <= {"queued"} else CommandExit.FAILED


@app.command
def purge(*letter_ids: str, ids_from: IdsFrom = None, config: Config = None, json: Json = False) -> None:
    """Throw exactly these letters away."""
    chosen = _ids(letter_ids, ids_from)

    async def throw() -> int:
        async with open_queue(config) as (_, queue, _settings):
            return await queue.dead_letters.purge(chosen)

    gone = asyncio.run(throw())
    show({"purged": gone}, f"{gone} purged", json)


async def _letters(config: Path | None, tenant: str | None, count: int) -> list[DeadLetter]:
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
    text = "" if file is None else sys.stdin.read() if str(file) == "-" else file.read_text()
    chosen = [*given, *text.split()]
    if not chosen:
        raise CommandError("which letters?", "name their ids, or a file of them with --ids-from", CommandExit.USAGE)
    return chosen


def _facts(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "job_id": letter.job_id,
        "tenant_id": letter.tenant_id,
        "reason": letter.reason,
        "at_ms": letter.at_ms,
        "retryable": letter.retryable,
        "job": letter.job.decode(errors="replace"),
        "detail": msgspec.json.decode(letter.detail or b"null"),
    }
