"""`workerctl config get|set|unset|edit|validate`: read and change the central configuration."""

import asyncio
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.central.listing import ASSIGNMENT, in_json, listing, values_of_listing
from pageworker_supervisor.cli.answers import ValidListing
from pageworker_supervisor.cli.config_change import (
    Change,
    ChangeReason,
    ChangeReport,
    Who,
    apply,
    check_layer,
    open_for_change,
    open_store,
    print_change,
    refuse_other_bytes,
    values_in,
)
from pageworker_supervisor.cli.connect import Config, local_layers_of, valid
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show
from pageworker_supervisor.cli.replaced_globs import replaced_globs
from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.setting_names import NameInvalid, dotted, path_of, type_at
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.value_text import value_of
from pageworker_supervisor.contract.printable import printable

EDIT_HEAD = """# One setting per line: NAME = VALUE. The value is JSON: 6, "debug", true, ["a", "b"], null.
# To remove a setting from the central configuration, delete its line. Lines that begin with # are ignored.
"""


def get(name: str, *, config: Config = None, json: Json = False) -> CommandExit:
    """Print the central value of one setting. The exit code is 1 if it has none.

    `workerctl config show --origin` prints the value in effect, and where it comes from.

    Example: `workerctl config get pool.runners`.

    Parameters
    ----------
    name
        Name of the setting, e.g. tenants.acme.weight.
    """

    async def read() -> CentralValues:
        async with open_store(config) as store:
            return values_in(await store.state())

    values = asyncio.run(read())
    key = _named(name)
    if key not in values:
        raise CommandError(f"{printable(key)} is not set centrally", "Run `workerctl config show --origin`.")
    show(values[key], printable(in_json(values[key])), json)
    return CommandExit.DONE


def set_values(
    *assignments: Annotated[str, Parameter(required=True, help="NAME=VALUE. The value is JSON, TOML, or a text.")],
    reason: ChangeReason,
    who: Who = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Set one or more settings for all workers, in one step.

    Every worker checks the change together with its own file and environment. If one refuses it, nothing changes and
    the exit code is 4. A tenant or domain that gets a first setting of its own loses those of its glob: stderr says so.
    Example: `workerctl config set pool.runners=6 tenants.acme.weight=2 --reason "black friday"`.
    """
    new = dict(assignment(text) for text in assignments)
    if not new:
        raise CommandError("no NAME=VALUE is given", "e.g. pool.runners=6", CommandExit.USAGE)
    return print_change(asyncio.run(_change(config, lambda values: {**values, **new}, who, reason)), json)


def unset(
    *names: Annotated[str, Parameter(required=True, help="Names of settings, e.g. tenants.acme.weight.")],
    reason: ChangeReason,
    who: Who = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Remove settings from the central configuration. Each worker then uses the value of its own file or the default.

    If one of them has no central value, nothing is removed, and the exit code is 1.

    Example: `workerctl config unset tenants.acme.weight --reason "the sale is over"`.
    """
    gone = {_named(name) for name in names}

    def without(values: CentralValues) -> CentralValues:
        if missing := sorted(gone - set(values)):
            what = f"not set centrally: {printable(', '.join(missing))}"
            raise CommandError(what, "Run `workerctl config show --origin`.")
        return {name: value for name, value in values.items() if name not in gone}

    return print_change(asyncio.run(_change(config, without, who, reason)), json)


def edit(*, reason: ChangeReason, who: Who = None, config: Config = None, json: Json = False) -> CommandExit:
    """Edit the whole central configuration in $VISUAL or $EDITOR, and apply it in one step.

    Example: `workerctl config edit --reason "limits for the sale"`.
    """
    return print_change(asyncio.run(_change(config, _edited, who, reason)), json)


def validate(
    file: Annotated[Path, Parameter(help="File with one NAME = VALUE line per setting.")],
    *,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check a file with a whole central configuration (NAME = VALUE lines). Change nothing.

    The command checks it together with the configuration file and the environment variables of this host. The exit code
    is 2 for a mistake.

    Example: `workerctl config validate central.conf`.
    """
    try:
        values = values_of_listing(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(f"{file}: {reason}", exit_code=CommandExit.USAGE) from error
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid
    valid(local_layers_of(config), values)
    show(ValidListing(True, len(values)), f"Valid on this host. Settings in the file: {len(values)}.", json)


async def _change(
    config: Path | None, make: Callable[[CentralValues], CentralValues], who: str | None, reason: str
) -> ChangeReport:
    async with open_for_change(config) as opened:
        state = await opened.store.state()
        before = values_in(state)
        values = make(before)
        check_layer(values)
        for line in replaced_globs(opened.settings, before, values):
            note(line)
        return await apply(opened, "config change", Change(state, values, reason, who))


def _edited(values: CentralValues) -> CentralValues:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        editor = shlex.split(command)
    except ValueError as error:
        what = f"the editor failed: {printable(command)}: {error}"
        raise CommandError(what, "Set EDITOR to a command.", CommandExit.USAGE) from error
    with tempfile.TemporaryDirectory(prefix="workerctl-") as folder:
        file = Path(folder) / "central.conf"
        file.write_text(EDIT_HEAD + listing(values), encoding="utf-8")
        try:
            subprocess.run([*editor, str(file)], check=True)
            return values_of_listing(file.read_text(encoding="utf-8"), str(file))
        except (OSError, subprocess.CalledProcessError, UnicodeDecodeError) as error:
            raise CommandError(f"the editor failed: {error}", "Set EDITOR.") from error
        except ConfigInvalid as invalid:
            raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid


def assignment(text: str) -> tuple[str, object]:
    """Name and value of `NAME=VALUE`. Raises CommandError."""
    refuse_other_bytes(text)
    match = ASSIGNMENT.fullmatch(text)
    if match is None:
        what = f"{printable(text)}: no NAME=VALUE"
        raise CommandError(what, "e.g. pool.runners=6, or 'domains.\"*.a.test\".burst=3'", CommandExit.USAGE)
    name = _named(match[1])
    type_, known = type_at(Settings, path_of(name))
    return name, value_of(type_ if known == len(path_of(name)) else str, match[2].strip())


def _named(name: str) -> str:
    """The name in its one form."""
    refuse_other_bytes(name)
    try:
        return dotted(path_of(name))
    except NameInvalid as invalid:
        hint = "put a part with other characters than A-Z a-z 0-9 _ - into quotes: 'domains.\"*.a.test\".burst'"
        raise CommandError(
            f"{printable(name)} is no name of a setting: {invalid}", hint, CommandExit.USAGE
        ) from invalid
