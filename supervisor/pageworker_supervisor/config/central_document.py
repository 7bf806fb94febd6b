"""The central configuration: a flat table of settings by name, checked as one layer. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pageworker_supervisor.config.check import Checker, unknown_setting
from pageworker_supervisor.config.environment import merge, nested
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.layers import Layer
from pageworker_supervisor.config.reload import LOCAL, reload_of
from pageworker_supervisor.config.setting_names import NameInvalid, dotted, is_table, path_of, type_at
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import is_struct

CentralValues = Mapping[str, Any]
"""Name of a setting as TOML writes it, and its value as JSON: `{"tenants.acme.weight": 2}`."""

SOURCE = "central configuration"
MOST_SETTINGS = 5000
MOST_BYTES = 1024 * 1024
EMPTY: CentralValues = {}


def parameter_path(central: str) -> str | None:
    """The path in the AWS Parameter Store that `config.central` names. None: the values are in Redis, or off."""
    return central.removeprefix("ssm:") if central.startswith("ssm:") else None


def central_layer(untrusted_values: CentralValues) -> Layer:
    """The layer of a central configuration. Its problems name every setting that is wrong, unknown or local."""
    tree: dict[str, Any] = {}
    paths: set[Path] = set()
    problems = list(_size_problems(untrusted_values))
    # The names of a document that is too large are not looked at: that takes a worker more time than it has to vote.
    for name in () if problems else sorted(untrusted_values):
        try:
            path = path_of(name)
        except NameInvalid as invalid:
            hint = 'put a part with other characters than A-Z a-z 0-9 _ - into quotes: domains."*.a.test".burst'
            problems.append(ConfigProblem(SOURCE, name[:80], str(invalid), "the name of a setting", hint))
            continue
        if name != dotted(path):
            # Two forms of one name would be two settings, and one of them would have no effect.
            problems.append(ConfigProblem(SOURCE, name, "another form of the name", dotted(path)))
            continue
        found, value = _checked(path, untrusted_values[name])
        problems += found
        if not found:
            merge(tree, nested(path, value))
            paths.add(path)

    def source_of(path: Path) -> str | None:
        set_here = any(path[:length] in paths for length in range(1, len(path) + 1))
        return SOURCE if set_here else None

    return Layer("central", tree, tuple(problems), source_of)


def _checked(path: Path, untrusted_value: Any) -> tuple[list[ConfigProblem], Any]:
    type_, known = type_at(Settings, path)
    if known < len(path):
        if is_struct(type_):
            return [unknown_setting(SOURCE, path[: known + 1], type_, Settings)], None
        return [ConfigProblem(SOURCE, dotted(path), "", "the name of a setting")], None
    if is_table(type_):
        expected = f"single settings, e.g. {dotted(path)}.…"
        return [ConfigProblem(SOURCE, dotted(path), "a section", expected, "set each setting by its own name")], None
    if reload_of(path) is LOCAL:
        hint = "set it in the configuration file, or in an environment variable, of each worker"
        return [
            ConfigProblem(
                SOURCE, dotted(path), "", "a setting that may be central: this one is local, it is never central", hint
            )
        ], None
    checker = Checker(Settings, lambda _: SOURCE)
    value = checker.value(type_, untrusted_value, path)
    return checker.problems, None if value is msgspec.UNSET else value


def _size_problems(values: CentralValues) -> list[ConfigProblem]:
    problems = []
    if len(values) > MOST_SETTINGS:
        problems.append(ConfigProblem(SOURCE, "", f"{len(values)} settings", f"at most {MOST_SETTINGS}"))
    try:
        size = len(msgspec.json.encode(values))
    except (ValueError, RecursionError):  # `config set NAME 0xffff…`: a number of more than 4300 digits
        problems.append(ConfigProblem(SOURCE, "", "a value that is too large to store", "values that JSON can hold"))
        return problems
    if size > MOST_BYTES:
        problems.append(ConfigProblem(SOURCE, "", f"{size} bytes", f"at most {MOST_BYTES}"))
    return problems
