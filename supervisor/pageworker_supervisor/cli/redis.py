"""`workerctl redis`: how n8n and redis-cli reach the embedded Redis, and which user the HTTP API needs."""

from typing import Literal

from cyclopts import App

from pageworker_supervisor.cli.answers import RedisAccess
from pageworker_supervisor.cli.connect import Config, embedded_folder, settings_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.redis_client.credentials import PasswordUnreadable

app = App(name="redis", help="Show how clients reach Redis.")
app.command(
    "pageworker_supervisor.cli.redis_acl:acl",
    name="acl",
    help="Print the command that makes the Redis user of the HTTP API.",
)

User = Literal["n8n", "reader", "pageworker"]


@app.command
def password(user: User = "n8n", *, config: Config = None, json: Json = False) -> None:
    """Print the password of a user of the embedded Redis.

    With --json, also print host and port. Example: `workerctl redis password reader`.

    Parameters
    ----------
    user
        `n8n` may push jobs and listen for results. `reader` may read everything. `pageworker` is the worker itself.
    """
    settings = settings_of(config)
    if settings.redis.url is not None:
        raise CommandError(
            "redis.url is set, so the worker uses a Redis of yours and does not know its passwords",
            "Ask the operator of that Redis. docs/redis.md lists the permissions that each user needs.",
            CommandExit.USAGE,
        )
    folder = embedded_folder(settings)
    try:
        word = folder.credentials(user).password()
        port = folder.read_port()
    except (PasswordUnreadable, OSError, ValueError) as error:
        raise CommandError(
            str(error), "Start `pageworker`: it creates the password file.", CommandExit.UNREACHABLE
        ) from error
    show(RedisAccess(user, word, "127.0.0.1", port), word, json)
