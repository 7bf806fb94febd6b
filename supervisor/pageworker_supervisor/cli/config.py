"""`workerctl config`: the settings in effect, and whether they are valid."""

from typing import Any

from cyclopts import App

from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.output import Json, show
from pageworker_supervisor.config.redact import fingerprint, redacted

app = App(name="config", help="Check the configuration, or show the settings in effect.")


@app.command(name="show")
def show_settings(*, config: Config = None, json: Json = False) -> None:
    """Print all settings in effect as TOML: the defaults, the file and the environment variables together.

    Passwords inside URLs are hidden. A setting without a value is left out.
    """
    settings = redacted(settings_of(config))
    show(settings, toml_text(_without_null(settings)).rstrip("\n"), json)


@app.command
def check(*, config: Config = None, json: Json = False) -> None:
    """Check the configuration file and the environment variables as the worker does when it starts.

    Prints every mistake with its line, and ends with exit code 2 if there is one. Workers with equal settings print the
    same fingerprint. Example: `workerctl config check --config pageworker.toml`.
    """
    settings = settings_of(config)
    facts = {"valid": True, "fingerprint": fingerprint(settings)}
    show(facts, f"The configuration is valid. Fingerprint: {facts['fingerprint']}", json)


def _without_null(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null."""
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }
