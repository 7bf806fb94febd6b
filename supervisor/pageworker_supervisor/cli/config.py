"""`workerctl config`: the settings in effect, and whether they are valid."""

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from pageworker_demo.toml import toml_text
from pageworker_sandbox.wire.page_options import HIDDEN
from pageworker_supervisor.cli.answers import ValidSettings
from pageworker_supervisor.cli.config_change import central_values
from pageworker_supervisor.cli.connect import Config, local_layers_of, settings_of, valid
from pageworker_supervisor.cli.output import Json, show, table
from pageworker_supervisor.config.central_document import EMPTY
from pageworker_supervisor.config.layers import origins
from pageworker_supervisor.config.redact import fingerprint, redacted
from pageworker_supervisor.config.setting_names import dotted, flat


class ShownOrigin(Struct, frozen=True):
    """One setting in effect, and what set it: `layer` is `default`, `file`, `central` or `environment`."""

    setting: str
    value: Any
    layer: str
    source: str
    """File and line, or the variable. Empty for a default."""


app = App(name="config", help="Show and check settings; change the central configuration.")


@app.command(name="show")
def show_settings(
    *,
    origin: Annotated[
        bool, Parameter(negative=(), help="Print one line per setting, with the place that its value comes from.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print all settings in effect as TOML: defaults, file, central configuration and environment variables together.

    If Redis does not answer, the output lacks the central configuration, and a note on stderr says so. Passwords inside
    URLs are hidden. A setting without a value is left out.

    Example: `workerctl config show --origin`.
    """
    local = local_layers_of(config)
    values = central_values(config, local) or EMPTY
    settings = redacted(valid(local, values))
    if not origin:
        show(settings, toml_text(_without_null(settings)).rstrip("\n"), json)
        return
    shown = flat(settings)
    found = [
        ShownOrigin(dotted(each.path), shown.get(each.path, HIDDEN), each.layer, each.source)
        for each in origins(local.with_central(values))
    ]
    # The source of a central setting repeats the name of its layer.
    rows = [
        (o.setting, _json(o.value), o.source if o.layer == "central" else f"{o.layer} {o.source}".rstrip())
        for o in found
    ]
    show(found, table(("SETTING", "VALUE", "FROM"), rows), json)


for name, place, line in (
    ("get", "config_values:get", "Print the central value of one setting."),
    ("set", "config_values:set_values", "Set one or more settings for all workers, in one step."),
    ("unset", "config_values:unset", "Remove settings from the central configuration."),
    ("edit", "config_values:edit", "Edit the whole central configuration in an editor."),
    ("validate", "config_values:validate", "Check a file with a whole central configuration. Change nothing."),
    ("diff", "config_history:diff", "Show what differs between two versions of the central configuration."),
    (
        "history",
        "config_history:history",
        "List versions of the central configuration, and the one that each worker runs.",
    ),
    ("rollback", "config_history:rollback", "Restore an earlier version of the central configuration."),
):
    app.command(f"pageworker_supervisor.cli.{place}", name=name, help=line)


@app.command
def check(*, config: Config = None, json: Json = False) -> None:
    """Check the configuration file and the environment variables as the worker does when it starts.

    Prints every mistake with its line, and ends with exit code 2 if there is one. Workers with equal settings print the
    same fingerprint. Example: `workerctl config check --config pageworker.toml`.
    """
    settings = settings_of(config)
    facts = ValidSettings(True, fingerprint(settings))
    show(facts, f"The configuration is valid. Fingerprint: {facts.fingerprint}", json)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _without_null(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null."""
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }
