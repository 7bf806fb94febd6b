"""Every command of `workerctl`, found through its root."""

from collections.abc import Iterator

from cyclopts import App

from pageworker_supervisor.cli.app import OLD_NAMES, app


def commands(group: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every group and command below `group`, with the words that call it. Without the old names of commands."""
    for name in group:
        if not name.startswith("-") and (path or name not in {old for old, _, _ in OLD_NAMES}):
            yield (*path, name), group[name]
            yield from commands(group[name], (*path, name))


COMMANDS = dict(commands(app))
CALLABLE = {path: command for path, command in COMMANDS.items() if command.default_command is not None}


def has_json(command: App) -> bool:
    """Whether the command has the option --json."""
    return any("--json" in argument.names for argument in command.assemble_argument_collection())
