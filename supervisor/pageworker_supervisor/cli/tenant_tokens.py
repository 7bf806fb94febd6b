"""`workerctl tenant create-token|list-tokens|rotate-token|revoke-token`: access tokens of a tenant, or of the fleet."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.access.errors import AccessTokenRefused
from pageworker_supervisor.access.grant import checked_scopes
from pageworker_supervisor.access.token_admin import NewToken, TokenAdmin
from pageworker_supervisor.access.token_text import is_token_id
from pageworker_supervisor.cli.audited import Reason, RecordedAction, audited
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.duration import seconds_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.access_tokens import AccessTokenRow

FLEET = "_fleet"
"""In place of a tenant's id. No tenant has this name."""
OVERLAP = "1d"

Owner = Annotated[str, Parameter(help="The tenant's id; `_fleet`: a token that is valid for every tenant.")]


class NewTokenAnswer(Struct, frozen=True):
    """A new access token. `token` is stored nowhere. `tenant_id` null: it is one of the fleet."""

    tenant_id: str | None
    token_id: str
    token: str


class RevokedTokenAnswer(Struct, frozen=True):
    """An access token that is valid no more. `tenant_id` null: it was one of the fleet."""

    tenant_id: str | None
    token_id: str


def create_token(
    name: Owner,
    *,
    scope: Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative=())],
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    label: str = "",
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Make an access token for the HTTP API, and print it once.

    Redis keeps only the SHA-256 of the token. The exit code is 4 if a tenant would have more than 50 tokens.

    Example: `workerctl tenant create-token acme --scope producer --scope viewer --for 90d`.

    Parameters
    ----------
    scope
        What it permits: viewer or producer. Repeat it for both.
    for_
        How long it is valid, e.g. 12h or 90d. Default: until it is revoked.
    label
        What it is for; lists show it.
    """
    tenant = _tenant(name)
    seconds = None if for_ is None else seconds_of(for_, "--for")
    try:
        scopes = checked_scopes(scope)
    except AccessTokenRefused as refused:
        raise CommandError(printable(refused), refused.mend, CommandExit.USAGE) from refused

    async def make() -> NewToken:
        detail = {"scopes": " ".join(sorted(scopes))}
        async with _recorded(config, "tenant create-token", tenant, reason, detail) as (admin, action):
            made = await admin.create(tenant, scopes, seconds, label)
            action.outcome = f"made {made.token_id}"
            return made

    return _shown(tenant, asyncio.run(make()), json)


def list_tokens(name: Owner, *, config: Config = None, json: Json = False) -> CommandExit:
    """List the access tokens of a tenant, the oldest first. A dead token is listed for a week after its end.

    Example: `workerctl tenant list-tokens acme`.
    """
    tenant = _tenant(name)

    async def read() -> list[AccessTokenRow]:
        async with open_queue(config) as (_, queue, _settings):
            return await TokenAdmin(queue.access_tokens).list(tenant)

    rows = asyncio.run(read())
    show(rows, token_table(rows), json)
    return CommandExit.DONE


def rotate_token(
    name: Owner,
    token_id: str | None = None,
    *,
    overlap: str = OVERLAP,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Make an access token in place of another, and print it once. The old one stays valid for the overlap.

    The new token has the scopes, the label and the lifetime of the old one. The exit code is 4 if the tenant has no
    such token, or if the token was replaced before. Example: `workerctl tenant rotate-token acme --overlap 2h`.

    Parameters
    ----------
    token_id
        The token to replace. Default: the one active token of the tenant.
    overlap
        How long the old one stays valid, e.g. 30m, 2h or 7d. A token that ends earlier is not extended. To end it
        at once, revoke it.
    """
    tenant = _tenant(name)
    seconds = seconds_of(overlap, "--overlap")
    shown = token_id if token_id is not None and is_token_id(token_id) else ""

    async def rotate() -> NewToken:
        detail: dict[str, str | int] = {"token_id": shown, "overlap_seconds": seconds}
        async with _recorded(config, "tenant rotate-token", tenant, reason, detail) as (admin, action):
            made = await admin.rotate(tenant, token_id, seconds)
            action.outcome = f"made {made.token_id}"
            return made

    return _shown(tenant, asyncio.run(rotate()), json)


def revoke_token(
    name: Owner, token_id: str, *, reason: Reason = None, config: Config = None, json: Json = False
) -> CommandExit:
    """End an access token now. A process that has read it accepts it for three seconds more.

    The exit code is 4 if the tenant has no such token.

    Example: `workerctl tenant revoke-token acme 0123456789abcdef --reason "it was in a log"`.

    Parameters
    ----------
    token_id
        The 16 digits after `pw_`.
    """
    tenant = _tenant(name)
    if not is_token_id(token_id):
        # It may be a whole token: it does not belong into an error, nor into the audit log.
        mend = "Give the 16 digits after `pw_`, as `workerctl tenant list-tokens` prints them."
        raise CommandError("this is no id of a token", mend, CommandExit.USAGE)

    async def revoke() -> None:
        async with _recorded(config, "tenant revoke-token", tenant, reason, {"token_id": token_id}) as (admin, _):
            await admin.revoke(tenant, token_id)

    asyncio.run(revoke())
    show(RevokedTokenAnswer(tenant, token_id), f"token {token_id} is revoked", json)
    return CommandExit.DONE


def token_table(rows: list[AccessTokenRow]) -> str:
    """One line per token."""
    lines = [
        (
            *(row.token_id, row.state, " ".join(row.scopes), _instant(row.created_at)),
            *("-" if row.expires_at is None else _instant(row.expires_at), row.label or "-"),
        )
        for row in rows
    ]
    return table(("TOKEN", "STATE", "SCOPES", "CREATED", "EXPIRES", "LABEL"), lines)


@asynccontextmanager
async def _recorded(
    config: Path | None, command: str, tenant: str | None, reason: str | None, detail: Mapping[str, str | int]
) -> AsyncIterator[tuple[TokenAdmin, RecordedAction]]:
    try:
        async with (
            open_queue(config) as (_, queue, settings),
            audited(queue, settings, command, tenant or FLEET, reason, detail) as action,
        ):
            yield TokenAdmin(queue.access_tokens), action
    except AccessTokenRefused as refused:
        raise CommandError(printable(refused), refused.mend, CommandExit.REFUSED) from refused


def _tenant(name: str) -> str | None:
    return None if name == FLEET else paused_name("tenant", name)


def _shown(tenant: str | None, made: NewToken, json: bool) -> CommandExit:
    show(NewTokenAnswer(tenant, made.token_id, made.text), made.text, json)
    note("Keep it now: it is not stored, and is not shown again.")
    return CommandExit.DONE


def _instant(seconds: float) -> str:
    return utc_text(seconds, "%Y-%m-%dT%H:%M:%SZ")
