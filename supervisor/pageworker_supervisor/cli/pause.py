"""`workerctl pause|unpause`: no further job of a tenant, module or domain starts, until its time or an unpause."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.cli.audited import audited
from pageworker_supervisor.cli.connect import CHECK_REDIS, Config, open_queue
from pageworker_supervisor.cli.duration import seconds_of
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, complain, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.pauses import PauseChange, PauseKind, PauseView

MOST_REASON = 200
MOST_WHO = 100
AGAIN = {
    "paused": "Run the same command again. It sets the pause anew, so its time begins again on every shard.",
    "unpaused": "Run the same command again. It changes nothing on the other shards.",
}

Who = Annotated[str | None, Parameter(help="Who does it. Default: your user name and host.")]


class PauseReport(Struct, frozen=True, kw_only=True):
    """What became of a pause. `until_ms`: milliseconds since the epoch, null: without end. `failed`: why, by the number
    of each shard where the change is not known to hold."""

    kind: PauseKind
    name: str
    state: Literal["paused", "unpaused", "not paused"]
    until_ms: int | None = None
    failed: dict[str, str] = {}


def pause(
    kind: PauseKind | None = None,
    name: str | None = None,
    *,
    reason: str | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    who: Who = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Stop the claims of one tenant, module or domain. Without arguments, list what is paused.

    Jobs that run go on. Jobs that wait stay queued, and still expire. `workerctl unpause` ends the pause. The exit code
    is 1 if a shard of Redis did not answer: it is named, and the same command again pauses it there too. It is 4 if
    there are too many pauses. Example: `workerctl pause tenant acme --reason "floods the shop" --for 30m`.

    Parameters
    ----------
    kind
        What to pause.
    name
        Its name: a tenant id, the name of a module without version, or a host. No globs.
    reason
        Why you pause it. Jobs that wait show it.
    for_
        How long, e.g. 90s, 30m, 2h or 1d. Default: until it is unpaused.
    """
    if kind is None and reason is None and for_ is None:
        _show_pauses(asyncio.run(_all(config)), json)
        return CommandExit.DONE
    if kind is None or name is None:
        raise CommandError(
            "nothing is named", 'Write e.g. `workerctl pause tenant acme --reason "…"`.', CommandExit.USAGE
        )
    if reason is None or not reason.strip():
        raise CommandError("--reason is missing", "Say why: jobs that wait show it.", CommandExit.USAGE)
    _check_text(reason, "--reason", MOST_REASON)
    seconds = None if for_ is None else seconds_of(for_, "--for")
    paused = paused_name(kind, name)
    change = asyncio.run(_pause(config, kind, paused, reason, _who(who), seconds))
    if change.full:
        shards = ", ".join(map(str, change.full))
        raise CommandError(
            f"too many pauses on shard {shards}", "Run `workerctl pause`, and unpause some.", CommandExit.REFUSED
        )
    return _report(kind, paused, "paused", change, json)


def unpause(kind: PauseKind, name: str, *, who: Who = None, config: Config = None, json: Json = False) -> CommandExit:
    """Let jobs of a paused tenant, module or domain start again.

    The exit code is 1 if it was not paused, or if a shard of Redis did not answer: it is named, and the same command
    again ends the pause there too. Example: `workerctl unpause tenant acme`.

    Parameters
    ----------
    kind
        What is paused.
    name
        Its name, as `workerctl pause` lists it.
    """
    paused = paused_name(kind, name)
    change = asyncio.run(_unpause(config, kind, paused, _who(who)))
    exit_code = _report(kind, paused, "unpaused" if change.changed else "not paused", change, json)
    return exit_code if change.changed else CommandExit.FAILED


async def _pause(
    config: Path | None, kind: PauseKind, name: str, reason: str, who: str, seconds: int | None
) -> PauseChange:
    detail: dict[str, str | int] = {} if seconds is None else {"seconds": seconds}
    async with (
        open_queue(config, probed=None) as (redis_client, queue, settings),
        audited(queue, settings, "pause", f"{kind} {name}", reason, {"who": who, **detail}) as action,
    ):
        change = await queue.pauses.pause(kind, name, reason, who, seconds)
        action.outcome = _outcome(change)
        return _answered(change, redis_client.safe_url)


async def _unpause(config: Path | None, kind: PauseKind, name: str, who: str) -> PauseChange:
    async with (
        open_queue(config, probed=None) as (redis_client, queue, settings),
        audited(queue, settings, "unpause", f"{kind} {name}", detail={"who": who}) as action,
    ):
        change = await queue.pauses.unpause(kind, name, who)
        action.outcome = _outcome(change) if change.changed or change.failed else "not paused"
        return _answered(change, redis_client.safe_url)


async def _all(config: Path | None) -> list[PauseView]:
    async with open_queue(config) as (_, queue, _settings):
        return await queue.pauses.all()


def _outcome(change: PauseChange) -> str:
    if change.failed:
        return f"done, but not on shards {', '.join(map(str, change.failed))}"
    return f"too many pauses on shards {', '.join(map(str, change.full))}" if change.full else "done"


def _answered(change: PauseChange, url: str) -> PauseChange:
    """Raises CommandError if no shard answered."""
    if change.failed and not change.answered:
        why = next(iter(change.failed.values()))
        raise CommandError(printable(f"Redis at {url}: {why}"), CHECK_REDIS, CommandExit.UNREACHABLE)
    return change


def _report(
    kind: PauseKind, name: str, state: Literal["paused", "unpaused", "not paused"], change: PauseChange, json: bool
) -> CommandExit:
    failed = {str(shard): why for shard, why in sorted(change.failed.items())}
    report = PauseReport(kind=kind, name=name, state=state, until_ms=change.until_ms, failed=failed)
    until = ""
    if state == "paused":
        until = ", without end" if change.until_ms is None else f" until {instant(change.until_ms)}"
    show(report, f"{kind} {name} is {state}{until}", json)
    for shard, why in failed.items():
        complain(f"shard {shard}: {printable(why)}")
    if failed:
        wanted = "paused" if state == "paused" else "unpaused"
        complain(f"{kind} {name} is not {wanted} on every shard", AGAIN[wanted])
        return CommandExit.FAILED
    return CommandExit.DONE


def _show_pauses(views: list[PauseView], json: bool) -> None:
    rows = [
        (
            *(view.kind, view.name, instant(view.since_ms)),
            "-" if view.until_ms is None else instant(view.until_ms),
            *(view.by, view.reason),
        )
        for view in views
    ]
    show(views, table(("KIND", "NAME", "SINCE", "UNTIL", "BY", "REASON"), rows), json)


def instant(ms: int) -> str:
    """`2026-11-28T00:50:00Z` of milliseconds since the epoch."""
    return utc_text(ms / 1000, "%Y-%m-%dT%H:%M:%SZ")


def _who(who: str | None) -> str:
    name = who or user_at_host()
    _check_text(name, "--who", MOST_WHO)
    return name


def _check_text(text: str, option: str, most: int) -> None:
    """Neither Redis nor JSON could hold bytes that are not UTF-8. Raises CommandError."""
    if len(text) > most:
        raise CommandError(f"{option} has more than {most} characters", "Make it shorter.", CommandExit.USAGE)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"{option} {printable(text)} has bytes that are not UTF-8"
        raise CommandError(what, "Type it in a terminal with a UTF-8 locale.", CommandExit.USAGE) from error
