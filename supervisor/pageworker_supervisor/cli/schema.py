"""`workerctl schema`: the JSON Schema of what a command prints with `--json`."""

from pageworker_supervisor.cli.json_schema import PRINTED, shipped_schema
from pageworker_supervisor.cli.output import CommandError, CommandExit, put
from pageworker_supervisor.contract.printable import printable


def schema(*command: str) -> None:
    """Print the JSON Schema of what a command prints with --json. Without a command, list those that have one.

    Example: `workerctl schema jobs list`.

    Parameters
    ----------
    command
        Words of the command, such as `jobs list`.
    """
    if not command:
        put("\n".join(PRINTED))
        return
    try:
        text = shipped_schema(" ".join(command))
    except KeyError as error:
        raise CommandError(
            f"no command `{printable(' '.join(command))}` prints JSON",
            "`workerctl schema` lists the commands that do.",
            CommandExit.USAGE,
        ) from error
    put(text.decode().rstrip("\n"))
