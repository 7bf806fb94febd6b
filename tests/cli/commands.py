"""Every command of `workerctl`, found through its root."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from cyclopts import App

from pageworker_supervisor.cli.app import app
from pageworker_supervisor.cli.json_schema import shipped_schema


def commands(group: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every group and command below `group` that `--help` lists, with the words that call it."""
    for name in group:
        if not name.startswith("-") and group[name].show:
            yield (*path, name), group[name]
            yield from commands(group[name], (*path, name))


COMMANDS = dict(commands(app))
CALLABLE = {path: command for path, command in COMMANDS.items() if command.default_command is not None}


def has_json(command: App) -> bool:
    """Whether the command has the option --json."""
    return any("--json" in argument.names for argument in command.assemble_argument_collection())


def valid_json(command: str, text: str) -> Any:
    """One JSON value that a command printed. Raises ValidationError unless the command's shipped schema allows it."""
    value = json.loads(text)
    jsonschema_rs.validator_for(json.loads(shipped_schema(command))).validate(value)
    return value


COMMAND_LINES: dict[str, str] = {
    "audit export": "audit export",
    "audit list": "audit list",
    "audit verify": "audit verify",
    "batch cancel": "batch cancel acme/b",
    "batch close": "batch close acme/b",
    "batch list": "batch list",
    "batch open": "batch open acme/b",
    "batch retry": "batch retry acme/b",
    "batch show": "batch show acme/b",
    "cancel": "cancel acme/1",
    "config diff": "config diff",
    "config edit": "config edit --reason w",
    "config get": "config get pool.runners",
    "config history": "config history",
    "config rollback": "config rollback 1 --reason w",
    "config set": "config set pool.runners=3 --reason w",
    "config unset": "config unset pool.runners --reason w",
    "dead list": "dead list",
    "dead purge": "dead purge 0-1-0",
    "dead retry": "dead retry 0-1-0",
    "dead show": "dead show 0-1-0",
    "drain": "drain",
    "jobs": "jobs",
    "jobs cancel": "jobs cancel --tenant acme --yes",
    "jobs follow": "jobs follow acme/1",
    "jobs list": "jobs list --all",
    "jobs retry": "jobs retry --tenant acme --yes",
    "jobs show": "jobs show acme/1 --timeline",
    "logs": "logs",
    "module promote": "module promote acme.prices",
    "module rollback": "module rollback acme.prices",
    "module rollout": "module rollout acme.prices 0.2.0",
    "module serial": "module serial",
    "module status": "module status acme.prices",
    "pause": "pause tenant acme --reason r",
    "profile delete": "profile delete acme/main",
    "profile export": "profile export acme/main main.tar",
    "profile import": "profile import acme/main --storage-state state.json",
    "profile list": "profile list",
    "profile quarantine": "profile quarantine acme/main",
    "profile reset": "profile reset acme/main",
    "profile restore": "profile restore acme/main 1",
    "profile show": "profile show acme/main",
    "profile unlock": "profile unlock acme/main",
    "results": "results --follow",
    "rollout": "rollout",
    "rollout watch": "rollout watch --canary next",
    "scale": "scale",
    "status": "status",
    "submit": "submit a.b --wait",
    "tenant create": "tenant create acme --reason w",
    "tenant create-token": "tenant create-token acme --scope viewer",
    "tenant list": "tenant list",
    "tenant list-tokens": "tenant list-tokens acme",
    "tenant pause": "tenant pause acme --reason r",
    "tenant revoke-token": "tenant revoke-token acme 0123456789abcdef",
    "tenant rotate-token": "tenant rotate-token acme",
    "tenant show": "tenant show acme",
    "tenant subscribe": "tenant subscribe acme https://hooks.test/in --event job.*",
    "tenant subscriptions": "tenant subscriptions acme",
    "tenant unpause": "tenant unpause acme",
    "tenant unsubscribe": "tenant unsubscribe acme sub_0123456789abcdef",
    "tenant usage": "tenant usage acme",
    "top": "top --once",
    "undrain": "undrain",
    "unpause": "unpause tenant acme",
}
"""One command line for each command that cannot work without Redis, or without the worker of this host."""
