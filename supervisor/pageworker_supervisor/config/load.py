"""Loads Settings from file and environment, or reports every mistake in them."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pageworker_supervisor.config import toml_lines
from pageworker_supervisor.config.check import Checker, decode_path
from pageworker_supervisor.config.environment import CONFIG_VARIABLE, Overrides, merge
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.relative_paths import absolute_paths
from pageworker_supervisor.config.rules import broken_rules
from pageworker_supervisor.config.settings import Settings

MAX_FILE_BYTES = 16 * 1024 * 1024


def load(path: Path | None, environ: Mapping[str, str], *, new_registry: bool = False) -> Settings:
    """Settings from a TOML file and the environment variables that override it.

    `path` None: the file that PAGEWORKER_CONFIG names; without that, the defaults. Relative paths in the file count
    from its folder, those in variables from the working directory.

    `new_registry`: the folder `modules.registry` may be created by who asks.

    Raises ConfigInvalid with every mistake of both: syntax, unknown keys, types, ranges, files that cannot be read,
    invalid globs and URLs.
    """
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    text, problems = _read(path) if path is not None else ("", [])
    tree, at = _parse(path, text, problems)

    def source_of(key: toml_lines.Path) -> str:
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in at), None)
        return f"{path}:{at[known]}" if known else str(path)

    checker = Checker(Settings, source_of)
    kept = checker.table(Settings, tree)
    overrides = Overrides(Settings)
    overrides.read(environ)
    if path is not None:
        kept = absolute_paths(Settings, kept, path.absolute().parent)
    merge(kept, absolute_paths(Settings, overrides.tree, Path.cwd()))
    settings = msgspec.convert(kept, Settings, dec_hook=decode_path)

    def source_over(key: toml_lines.Path) -> str:
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in overrides.sources), None)
        return overrides.sources[known] if known else source_of(key) if path else "default"

    problems += checker.problems
    problems += overrides.problems
    problems += broken_rules(settings, source_over, new_registry=new_registry)
    if problems:
        raise ConfigInvalid(tuple(sorted(problems, key=_reading_order)))
    return settings


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


def _parse(
    path: Path | None, untrusted_text: str, problems: list[ConfigProblem]
) -> tuple[dict[str, Any], dict[toml_lines.Path, int]]:
    try:
        tree = tomllib.loads(untrusted_text)
    except tomllib.TOMLDecodeError as error:
        line, message = toml_lines.error_line(error, untrusted_text)
        found = untrusted_text.splitlines()[line - 1].strip() if untrusted_text.strip() else ""
        # Show only the part before `=`: the value may be a password.
        hint = f"near `{found.partition('=')[0].strip()[:40]}`" if found else ""
        problems.append(ConfigProblem(f"{path}:{line}", "", message[:1].lower() + message[1:], "valid TOML", hint))
        return {}, {}
    return tree, toml_lines.lines_of(untrusted_text)
