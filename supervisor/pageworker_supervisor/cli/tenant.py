"""`workerctl tenant`: the limits of tenants, and what they use of them now."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from msgspec import Struct

from pageworker_supervisor.cli.config_change import values_in
from pageworker_supervisor.cli.connect import Config, local_layers_of, open_queue, valid
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show, table
from pageworker_supervisor.cli.pause import instant
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.tenants import TenantUsage

MOST_TENANTS = 1000

app = App(name="tenant", help="Show the limits of tenants, and what they use.")


class TenantAnswer(Struct, frozen=True, kw_only=True):
    """One tenant. `usage`: from Redis. The bounds of its backlog come from the configuration."""

    usage: TenantUsage
    backlog_jobs: int
    backlog_bytes: int


@app.command(name="list")
def list_tenants(*, count: int = 200, config: Config = None, json: Json = False) -> CommandExit:
    """List tenants with jobs, a pause or dead letters, and those that the configuration names.

    Those with most waiting jobs come first. The column THROTTLED names the limit that keeps a tenant from starting a
    further job, or says why it is paused. Only Redis is needed. Example: `workerctl tenant list`.

    Parameters
    ----------
    count
        Maximum number of tenants to list of each shard of Redis, at most 1000.
    """
    if not 1 <= count <= MOST_TENANTS:
        raise CommandError(f"--count is not from 1 to {MOST_TENANTS}", exit_code=CommandExit.USAGE)

    async def read() -> tuple[list[TenantAnswer], bool]:
        async with open_queue(config) as (_, queue, local):
            settings = await _in_effect(config, queue, local)
            named = [name.lower() for name in settings.tenants if not set(name) & {"*", "?"}]
            found = await queue.tenants.all(count, named[:MOST_TENANTS])
            answers = [_answer(usage, settings) for usage in found.tenants]
            return sorted(answers, key=_most_waiting_first), found.more

    answers, more = asyncio.run(read())
    if more:
        note(f"There are more tenants: raise --count (now {count}), or use `workerctl tenant show NAME`.")
    heads = ("TENANT", "RUNNING", "OF", "QUEUED", "DELAYED", "SHARE", "DEAD", "THROTTLED")
    rows = [
        (
            *(each.tenant_id, each.running, each.concurrency, each.queued, each.delayed),
            *(f"{each.running_share:.0%}", each.dead_letters, each.throttled or "-"),
        )
        for each in (answer.usage for answer in answers)
    ]
    show(answers, table(heads, rows), json)
    return CommandExit.DONE


def _most_waiting_first(answer: TenantAnswer) -> tuple[int, str]:
    return -(answer.usage.queued + answer.usage.delayed), answer.usage.tenant_id


@app.command(name="show")
def show_tenant(name: str, *, config: Config = None, json: Json = False) -> CommandExit:
    """Show one tenant: its limits in force, what it uses of them, its pause, open profiles and dead letters.

    A tenant without jobs is shown too: it has the limits that the configuration gives its name. Only Redis is needed.
    Example: `workerctl tenant show acme`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    tenant = paused_name("tenant", name)

    async def read() -> TenantAnswer:
        async with open_queue(config) as (_, queue, local):
            return _answer(await queue.tenants.show(tenant), await _in_effect(config, queue, local))

    answer = asyncio.run(read())
    show(answer, table(("", tenant), _lines(answer)), json)
    return CommandExit.DONE


def _not_yet(name: str) -> None:
    def refuse(*_words: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> None:
        raise CommandError(f"tenant {name}: not supported yet", exit_code=CommandExit.REFUSED)

    refuse.__doc__ = "Change a tenant's access: not supported yet."
    app.command(refuse, name=name, show=False)


for later in ("create", "rotate-token", "acl"):
    _not_yet(later)


async def _in_effect(config: Path | None, queue: QueueClient, local: Settings) -> Settings:
    """The settings with the central configuration."""
    if local.config.central == "off":
        return local
    return valid(local_layers_of(config), values_in(await queue.config.state()))


def _answer(usage: TenantUsage, settings: Settings) -> TenantAnswer:
    found = limits_for(settings.tenants, usage.tenant_id)
    return TenantAnswer(usage=usage, backlog_jobs=found.backlog_jobs, backlog_bytes=found.backlog_bytes)


def _lines(answer: TenantAnswer) -> list[tuple[str, object]]:
    usage, pause = answer.usage, answer.usage.pause
    rate = "no limit" if usage.rate_per_second is None else f"{usage.rate_per_second:g}/s, burst {usage.burst}"
    tokens = "" if usage.tokens is None else f", {usage.tokens:.1f} may start now"
    mean = "not known" if usage.mean_page_seconds is None else f"{usage.mean_page_seconds:.2f} s"
    paused = "no"
    if pause is not None:
        until = "without end" if pause.until_ms is None else f"until {instant(pause.until_ms)}"
        paused = f"{until}, by {pause.by} since {instant(pause.since_ms)}: {pause.reason}"
    return [
        ("running", f"{usage.running} of {usage.concurrency}, {usage.running_share:.0%} of what runs"),
        ("queued", usage.queued),
        ("delayed", usage.delayed),
        ("ending", usage.ending),
        ("jobs", f"{usage.jobs} of {answer.backlog_jobs}"),
        ("bytes", f"{usage.bytes} of {answer.backlog_bytes}"),
        ("weight", f"{usage.weight:g}"),
        ("rate", rate + tokens),
        ("page-seconds per job", mean),
        ("throttled", usage.throttled or "no"),
        ("paused", printable(paused)),
        ("profiles open", ", ".join(usage.profiles) or "-"),
        ("dead letters", f"{usage.dead_letters}, {usage.dead_bytes} bytes"),
    ]
