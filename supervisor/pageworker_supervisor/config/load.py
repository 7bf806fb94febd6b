"""Loads Settings from their layers, or reports every mistake in them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageworker_supervisor.config import toml_lines
from pageworker_supervisor.config.central_document import EMPTY, CentralValues, central_layer
from pageworker_supervisor.config.check import Checker
from pageworker_supervisor.config.environment import CONFIG_VARIABLE, Overrides
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.layers import Layer, combine, source_of
from pageworker_supervisor.config.relative_paths import absolute_paths
from pageworker_supervisor.config.rules import broken_rules
from pageworker_supervisor.config.settings import Settings

MAX_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class LocalLayers:
    """The layers that belong to one worker. They are read once, when the process starts."""

    file: Layer
    environment: Layer

    def with_central(self, values: CentralValues) -> tuple[Layer, ...]:
        """All layers, the weakest first."""
        return (self.file, central_layer(values), self.environment)

    def settings(self, values: CentralValues = EMPTY, *, new_registry: bool = False) -> Settings:
        """The settings in effect with this central configuration.

        `new_registry`: the folder `modules.registry` may be created by who asks. Raises ConfigInvalid with every
        mistake of all layers: syntax, unknown keys, types, ranges, files that cannot be read, invalid globs and URLs.
        """
        layers = self.with_central(values)
        settings = combine(layers)
        problems = [problem for layer in layers for problem in layer.problems]
        problems += broken_rules(settings, lambda path: source_of(layers, path), new_registry=new_registry)
        if problems:
            raise ConfigInvalid(tuple(sorted(problems, key=_reading_order)))
        return settings


def load(path: Path | None, environ: Mapping[str, str], *, new_registry: bool = False) -> Settings:
    """Settings from a TOML file and the environment variables that override it. Raises ConfigInvalid.

    See `read_local` and `LocalLayers.settings`.
    """
    return read_local(path, environ).settings(new_registry=new_registry)


def read_local(path: Path | None, environ: Mapping[str, str]) -> LocalLayers:
    """The layers of a TOML file and of the environment variables.

    `path` None: the file that PAGEWORKER_CONFIG names; without that, the defaults. Relative paths in the file count
    from its folder, those in variables from the working directory.
    """
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    return LocalLayers(_file_layer(path), _environment_layer(environ))


def _file_layer(path: Path | None) -> Layer:
    if path is None:
        return Layer("file", {}, (), lambda _: None)
    text, problems = _read(path)
    tree, at = parse_text(path, text, problems)

    def source_of(key: toml_lines.Path) -> str:
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in at), None)
        return f"{path}:{at[known]}" if known else str(path)

    checker = Checker(Settings, source_of)
    kept = absolute_paths(Settings, checker.table(Settings, tree), path.absolute().parent)
    return Layer("file", kept, (*problems, *checker.problems), source_of)


def _environment_layer(environ: Mapping[str, str]) -> Layer:
    overrides = Overrides(Settings)
    overrides.read(environ)

    def source_of(key: toml_lines.Path) -> str | None:
        return next((name for n in range(len(key), 0, -1) if (name := overrides.sources.get(key[:n]))), None)

    tree = absolute_paths(Settings, overrides.tree, Path.cwd())
    return Layer("environment", tree, tuple(overrides.problems), source_of)


def _reading_order(problem: ConfigProblem) -> tuple[bool, int]:
    """Sort key: the lines of the file from top to bottom, then the variables."""
    line = problem.source.rpartition(":")[2]
    return (False, int(line)) if line.isdecimal() else (True, 0)


def _read(path: Path) -> tuple[str, list[ConfigProblem]]:
    expected = "a readable TOML file"
    try:
        with path.open("rb") as file:
            untrusted_bytes = file.read(MAX_FILE_BYTES + 1)
        if len(untrusted_bytes) > MAX_FILE_BYTES:
            return "", [ConfigProblem(str(path), "", f"more than {MAX_FILE_BYTES} bytes", expected)]
        return untrusted_bytes.decode("utf-8-sig"), []
    except OSError as error:
        return "", [ConfigProblem(str(path), "", error.strerror or str(error), expected)]
    except UnicodeDecodeError as error:
        return "", [ConfigProblem(str(path), "", f"bytes that are not UTF-8 at offset {error.start}", expected)]


def parse_text(
    path: Path, untrusted_text: str, problems: list[ConfigProblem]
) -> tuple[dict[str, Any], dict[toml_lines.Path, int]]:
    """The tables of a file, and the line of each key. A text that is no TOML has neither; `problems` gets the reason.

    Reads no file: `path` is named in the problem.
    """
    try:
        tree = tomllib.loads(untrusted_text)
        return tree, toml_lines.lines_of(untrusted_text)
    except tomllib.TOMLDecodeError as error:
        line, message = toml_lines.error_line(error, untrusted_text)
        found = untrusted_text.splitlines()[line - 1].strip() if untrusted_text.strip() else ""
        # Show only the part before `=`: the value may be a password.
        hint = f"near `{found.partition('=')[0].strip()[:40]}`" if found else ""
        problems.append(ConfigProblem(f"{path}:{line}", "", message[:1].lower() + message[1:], "valid TOML", hint))
    except (ValueError, RecursionError):
        # tomllib gives no place for these. Source: sys.set_int_max_str_digits.
        found = "a number of too many digits, or too many brackets in each other"
        problems.append(ConfigProblem(str(path), "", found, "TOML that Python can read"))
    return {}, {}
