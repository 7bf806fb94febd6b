"""`workerctl redis`: the way to the daemon's own Redis, for n8n and redis-cli."""

from typing import Literal

from cyclopts import App

from pageworker_supervisor.cli.connect import Config, embedded_folder, settings_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.redis_client.credentials import PasswordFile, PasswordUnreadable

app = App(name="redis", help="Show how clients reach the daemon's own Redis.")

User = Literal["n8n", "reader", "pageworker"]


@app.command
def password(user: User = "n8n", *, config: Config = None, json: Json = False) -> None:
    """Print the password of one of the users of the daemon's own Redis.

    Parameters
    ----------
    user
        n8n pushes jobs and hears results, reader looks at everything and changes nothing, pageworker is the worker's.
    """
    settings = settings_of(config)
    if settings.redis.url is not None:
        raise CommandError(
            "redis.url names a Redis that you run: only you know its passwords",
            "docs/redis.md says which rights its users need",
            CommandExit.USAGE,
        )
    folder = embedded_folder(settings)
    try:
        word = PasswordFile(folder.password_file(user), setting="the file").password()
        port = int(folder.port.read_text())
    except (PasswordUnreadable, OSError, ValueError) as error:
        raise CommandError(str(error), "start `pageworker`, which makes it", CommandExit.UNREACHABLE) from error
    show({"user": user, "password": word, "host": "127.0.0.1", "port": port}, word, json)
