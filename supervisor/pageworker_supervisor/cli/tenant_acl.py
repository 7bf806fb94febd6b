"""`workerctl tenant acl`: the Redis user of a tenant's producers."""

import hashlib
import secrets
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.access.redis_rules import redis_rules
from pageworker_supervisor.cli.config_change import central_values
from pageworker_supervisor.cli.connect import Config, local_layers_of, valid
from pageworker_supervisor.cli.output import CommandExit, Json, note, show
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.config.central_document import EMPTY
from pageworker_supervisor.config.settings import Settings


class RedisUserAnswer(Struct, frozen=True, kw_only=True):
    """A Redis user of one tenant. `command`: the words of `ACL SETUSER`. `acl_line`: the same for an ACL file.

    `password`: a new one, stored nowhere; null without --new-password, and then the user is off.
    """

    tenant_id: str
    user: str
    command: str
    acl_line: str
    password: str | None = None


def acl(
    name: str,
    *,
    new_password: Annotated[
        bool, Parameter(negative=(), help="Make a password. The rules have its SHA-256, and the user is on.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Print the `ACL SETUSER` command of a Redis user that may push jobs for one tenant alone.

    The user can push to the list and the stream of the tenant, read the keys of its results, and subscribe to the
    channels of its results and events. The command sends nothing to Redis. Without --new-password the user is off until
    you give it a password. Workers read the inboxes of tenants only with the setting `ingress.tenant_inboxes`.

    Example: `workerctl tenant acl acme`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    tenant = paused_name("tenant", name)
    local = local_layers_of(config)
    settings = valid(local, central_values(config, local) or EMPTY)
    user = f"{settings.redis.prefix}-{tenant}"
    password = secrets.token_hex(32) if new_password else None
    login = "off" if password is None else f"on #{hashlib.sha256(password.encode()).hexdigest()}"
    rules = f"{login} {' '.join(redis_rules(settings.redis.prefix, tenant))}"
    answer = RedisUserAnswer(
        tenant_id=tenant,
        user=user,
        command=f"ACL SETUSER {user} reset {rules}",
        acl_line=f"user {user} {rules}",
        password=password,
    )
    show(answer, answer.command if password is None else f"{answer.command}\n{password}", json)
    for text in _hints(settings, tenant):
        note(text)
    return CommandExit.DONE


def _hints(settings: Settings, tenant: str) -> list[str]:
    """What keeps this user from being of use."""
    found = []
    if not settings.ingress.per_tenant:
        found.append("Workers do not read the inboxes of tenants: set ingress.tenant_inboxes.")
    if tenant not in settings.tenants:
        found.append(f"[tenants] does not name {tenant}, so it has no inbox: run `workerctl tenant create {tenant}`.")
    if settings.redis.url is None and settings.redis.ingress_url is None:
        found.append("The embedded Redis has no such users: let producers push to a Redis of yours, redis.ingress_url.")
    return found
