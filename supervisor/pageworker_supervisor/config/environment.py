"""Reads settings from environment variables: `PAGEWORKER_REDIS__URL` is `redis.url`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.config.check import Checker, field_types, unknown_setting
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.setting_names import type_at
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.config.value_text import structured
from pageworker_supervisor.contract.type_names import first, is_struct

PREFIX = "PAGEWORKER_"

CONFIG_VARIABLE = "PAGEWORKER_CONFIG"
"""The path of the configuration file. It has our prefix and is no setting."""

_STEM = r"^PAGEWORKER(_[A-Z0-9_]+)?"
_ADDRESS = r"([0-9]+\.){3}[0-9]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*"
_URL = rf"(tcp|udp|sctp)://({_ADDRESS}|\[({_ADDRESS})\]):[0-9]+"
_SERVICE_LINKS = tuple(
    (re.compile(_STEM + name), re.compile(value))
    for name, value in (
        (r"_SERVICE_HOST", _ADDRESS),
        (r"_SERVICE_PORT(_[A-Z0-9_]+)?", r"[0-9]+"),
        (r"_PORT(_[0-9]+_(TCP|UDP|SCTP))?", _URL),
        (r"_PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
        (r"_PORT_[0-9]+_(TCP|UDP|SCTP)_PORT", r"[0-9]+"),
        (r"_PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR", _ADDRESS),
    )
)
"""Name and value of the variables that Kubernetes sets in every container for each Service of the namespace. A Service
`pageworker-redis` gives `PAGEWORKER_REDIS_PORT=tcp://10.0.0.7:6379`. Source: Kubernetes, "Accessing the Service"."""


class Overrides:
    """The settings of the environment: `tree` is plain data, `sources` names the variable of each setting."""

    def __init__(self, root: type[Struct]) -> None:
        self.tree: dict[str, Any] = {}
        self.sources: dict[Path, str] = {}
        self.problems: list[ConfigProblem] = []
        self._root = root

    def read(self, environ: Mapping[str, str]) -> None:
        """Read every variable with our prefix. An empty variable counts as not set: compose files write it so."""
        for name in sorted(environ):
            if name.startswith(PREFIX) and name != CONFIG_VARIABLE and environ[name] != "":
                self._take(name, environ[name])

    def _take(self, name: str, untrusted_text: str) -> None:
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        type_ = self._type_at(name, path, untrusted_text)
        if type_ is None:
            return
        checker = Checker(self._root, lambda _: name, lax=True)
        inner = first(type_)
        if is_struct(inner) or get_origin(inner) in (dict, tuple):
            value, readable = structured(untrusted_text)
            if readable:
                value = checker.value(type_, value, path)
            else:
                checker.wrong(path, untrusted_text, type_, 'write JSON, e.g. ["a", "b"] or {"a": "b"}')
                value = msgspec.UNSET
        else:
            value = checker.value(type_, untrusted_text, path)
        self.problems += checker.problems
        if value is not msgspec.UNSET:
            merge(self.tree, nested(path, value))
            self.sources[path] = name

    def _type_at(self, name: str, path: Path, untrusted_text: str) -> Any:
        """The type of the setting. None: there is no such setting. That is a mistake, unless it is a service link."""
        type_, known = type_at(self._root, path)
        if known == len(path):
            return type_
        if not is_service_link(name, untrusted_text):
            self.problems.append(self._unknown(name, path, path[: known + 1], type_))
        return None

    def _unknown(self, name: str, path: Path, up_to: Path, section: Any) -> ConfigProblem:
        key = ".".join(path)
        if hint := _nesting_hint(path, self._root):
            return ConfigProblem(name, key, "", "the name of a setting", hint)
        if not is_struct(section):
            return ConfigProblem(name, key, "", "the name of a setting")
        return replace(unknown_setting(name, up_to, section, self._root), key=key)


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set this variable. A value of another form is an operator's mistake."""
    return any(names.fullmatch(name) and values.fullmatch(value) for names, values in _SERVICE_LINKS)


def merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Override values of `base` with those of `over`, table by table, in place."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value


def nested(path: Path, value: Any) -> dict[str, Any]:
    """`("a", "b"), 1` → `{"a": {"b": 1}}`."""
    for key in reversed(path):
        value = {key: value}
    tree: dict[str, Any] = value
    return tree


def _nesting_hint(path: Path, root: type[Struct]) -> str:
    """A hint that `PAGEWORKER_REDIS_URL` probably means `PAGEWORKER_REDIS__URL`."""
    section, _, rest = path[0].partition("_")
    if section in field_types(root) and rest and len(path) == 1:
        return f"did you mean `{PREFIX}{section.upper()}__{rest.upper()}`? Two underscores separate section and name"
    return ""
