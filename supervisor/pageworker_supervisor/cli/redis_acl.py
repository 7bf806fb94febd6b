"""`workerctl redis acl`: the Redis user of the HTTP API."""

import hashlib
import secrets
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.access.api_user import api_rules, function_rules
from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.output import CommandExit, Json, note, show
from pageworker_supervisor.queue.library import library
from pageworker_supervisor.redis_client.url import Topology, parse_url


class ApiUserAnswer(Struct, frozen=True, kw_only=True):
    """The Redis user of the HTTP API. `command`: the words of `ACL SETUSER`. `acl_line`: the same for an ACL file.
    `add_functions`: the command that adds the functions of this version to those that the user has.

    `password`: a new one, stored nowhere; null without --new-password, and then the user is off.
    """

    user: str
    command: str
    acl_line: str
    add_functions: str
    password: str | None = None


def acl(
    *,
    new_password: Annotated[
        bool, Parameter(negative=(), help="Make a password. The rules have its SHA-256, and the user is on.")
    ] = False,
    functions: Annotated[
        bool, Parameter(negative=(), help="Only add the functions of this version, for an update.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Print the `ACL SETUSER` command of the Redis user that the HTTP API needs.

    The user can queue, cancel and show jobs, and read results, usage, access tokens and the central configuration. It
    cannot claim or end jobs, change settings or tokens, or load functions: workers load them. Nothing is sent to Redis.

    With `audit.key_file` it may write to the audit log, with `status_page.enabled` read what that page shows. Each
    version has functions of its own: before an update, run the command of the new version with --functions.

    Example: `workerctl redis acl --new-password`.
    """
    settings = settings_of(config)
    prefix, url = settings.redis.prefix, settings.redis.url
    clustered = url is not None and parse_url(url, "redis.url").topology is Topology.CLUSTER
    code = library(prefix, cluster=clustered)
    user, audits, page = f"{prefix}-api", settings.audit.key_file is not None, settings.status_page.enabled
    password = secrets.token_hex(32) if new_password else None
    login = "off" if password is None else f"on #{hashlib.sha256(password.encode()).hexdigest()}"
    rules = f"{login} {' '.join(api_rules(prefix, code, audits=audits, page=page))}"
    answer = ApiUserAnswer(
        user=user,
        command=f"ACL SETUSER {user} reset {rules}",
        acl_line=f"user {user} {rules}",
        add_functions=f"ACL SETUSER {user} {' '.join(function_rules(code, audits=audits, page=page))}",
        password=password,
    )
    lines = [answer.add_functions] if functions else [answer.command, *([password] if password else [])]
    show(answer, "\n".join(lines), json)
    if url is None:
        note("The embedded Redis has no such user: the API uses the one of the worker there.")
    return CommandExit.DONE
