"""`workerctl tenant`: the limits of tenants, what they use of them now, and their access."""

import asyncio
from collections import Counter

from cyclopts import App
from msgspec import Struct, structs

from pageworker_supervisor.cli.config_change import settings_in_effect
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show, table
from pageworker_supervisor.cli.pause import instant
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.access_tokens import AccessTokenRow
from pageworker_supervisor.queue.tenants import TenantUsage

MOST_TENANTS = 1000

app = App(
    name="tenant",
    help="Show tenants and what they use; create and pause them; make and end their access tokens and subscriptions.",
)


class TenantAnswer(Struct, frozen=True, kw_only=True):
    """One tenant. `usage`: from Redis. The bounds of its backlog come from the configuration."""

    usage: TenantUsage
    backlog_jobs: int
    backlog_bytes: int


class TenantDetails(TenantAnswer, frozen=True, kw_only=True):
    """One tenant with its access tokens, the oldest first."""

    access_tokens: tuple[AccessTokenRow, ...]


@app.command(name="list")
def list_tenants(*, count: int = 200, config: Config = None, json: Json = False) -> CommandExit:
    """List tenants with jobs, a pause or dead letters, and those that the configuration names.

    Those with most waiting jobs come first. The column THROTTLED names the limit that the next job of a tenant
    waits for, or says why the tenant is paused. Only Redis is needed. Example: `workerctl tenant list`.

    Parameters
    ----------
    count
        Maximum number of tenants to list of each shard of Redis, at most 1000.
    """
    if not 1 <= count <= MOST_TENANTS:
        raise CommandError(f"--count is not from 1 to {MOST_TENANTS}", exit_code=CommandExit.USAGE)

    async def read() -> tuple[list[TenantAnswer], bool]:
        async with open_queue(config) as (_, queue, local):
            settings = await settings_in_effect(config, queue, local)
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
    """Show one tenant: its limits in force, what it uses of them, its pause, open profiles, dead letters and tokens.

    A tenant without jobs is shown too: it has the limits that the configuration gives its name. Only Redis is needed.
    Example: `workerctl tenant show acme`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    tenant = paused_name("tenant", name)

    async def read() -> TenantDetails:
        async with open_queue(config) as (_, queue, local):
            settings = await settings_in_effect(config, queue, local)
            answer = _answer(await queue.tenants.show(tenant), settings)
            tokens = await queue.access_tokens.of(tenant)
            return TenantDetails(**structs.asdict(answer), access_tokens=tuple(tokens))

    answer = asyncio.run(read())
    show(answer, table(("", tenant), _lines(answer)), json)
    return CommandExit.DONE


for command, place, line in (
    ("create", "tenant_create:create", "Create a tenant: write its settings into the central configuration."),
    ("pause", "tenant_pause:pause", "Stop the claims of a tenant: the same as `workerctl pause tenant NAME`."),
    ("unpause", "tenant_pause:unpause", "Let jobs of a paused tenant start again."),
    ("create-token", "tenant_tokens:create_token", "Make an access token for the HTTP API, and print it once."),
    ("list-tokens", "tenant_tokens:list_tokens", "List the access tokens of a tenant."),
    ("rotate-token", "tenant_tokens:rotate_token", "Make an access token in place of another, and print it once."),
    ("revoke-token", "tenant_tokens:revoke_token", "End an access token now."),
    ("subscriptions", "tenant_subscriptions:list_subscriptions", "List where results and events of a tenant are sent."),
    ("subscribe", "tenant_subscriptions:subscribe", "Make a subscription: send results and events to a URL."),
    ("unsubscribe", "tenant_subscriptions:unsubscribe", "End a subscription."),
    ("usage", "tenant_usage:usage", "Show what the jobs of a tenant used, by the hour in which they ended."),
    ("acl", "tenant_acl:acl", "Print the command that makes a Redis user for one tenant alone."),
):
    app.command(f"pageworker_supervisor.cli.{place}", name=command, help=line)


def _answer(usage: TenantUsage, settings: Settings) -> TenantAnswer:
    found = limits_for(settings.tenants, usage.tenant_id)
    return TenantAnswer(usage=usage, backlog_jobs=found.backlog_jobs, backlog_bytes=found.backlog_bytes)


def _lines(answer: TenantDetails) -> list[tuple[str, object]]:
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
        *((f"budget {each.budget}", f"{each.used:.15g} of {each.limit:.15g}") for each in usage.budgets),
        ("throttled", usage.throttled or "no"),
        ("paused", printable(paused)),
        ("profiles open", ", ".join(usage.profiles) or "-"),
        ("dead letters", f"{usage.dead_letters}, {usage.dead_bytes} bytes"),
        ("access tokens", _tokens_text(answer.access_tokens)),
    ]


def _tokens_text(rows: tuple[AccessTokenRow, ...]) -> str:
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "-"
