"""Overrides from the environment: `PAGEWORKER_REDIS__URL` is `redis.url`."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.config.check import Checker, field_types, near_miss
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import describe, first, is_struct

PREFIX = "PAGEWORKER_"

RESERVED = frozenset({"PAGEWORKER_CONFIG"})
"""Names with our prefix that are no settings: the path of the file itself."""

_SERVICE_LINK = re.compile(
    r"^PAGEWORKER_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$"
)
"""Kubernetes puts these into every container beside a Service named `pageworker` ("Accessing the Service")."""


class Overrides:
    """What the environment sets, as a tree of plain data, and which variable set what."""

    def __init__(self, root: type[Struct]) -> None:
        self.tree: dict[str, Any] = {}
        self.sources: dict[Path, str] = {}
        self.problems: list[ConfigProblem] = []
        self._root = root

    def read(self, environ: Mapping[str, str]) -> None:
        """Take every variable of ours. An empty one counts as not set, as compose files write it."""
        for name in sorted(environ):
            ours = name.startswith(PREFIX) and name not in RESERVED and not _SERVICE_LINK.match(name)
            if ours and environ[name] != "":
                self._take(name, environ[name])

    def _take(self, name: str, untrusted_text: str) -> None:
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        type_ = self._type_at(name, path)
        if type_ is None:
            return
        checker = Checker(self._root, lambda _: name, lax=True)
        inner = first(type_)
        if is_struct(inner) or get_origin(inner) in (dict, tuple):
            value, readable = _structured(untrusted_text)
            if readable:
                value = checker.value(type_, value, path)
            else:
                checker.wrong(path, untrusted_text, describe(type_), 'write JSON, e.g. ["a", "b"] or {"a": "b"}')
                value = msgspec.UNSET
        else:
            value = checker.value(type_, untrusted_text, path)
        self.problems += checker.problems
        if value is not msgspec.UNSET:
            merge(self.tree, nested(path, value))
            self.sources[path] = name

    def _type_at(self, name: str, path: Path) -> Any:
        type_: Any = self._root
        for depth, key in enumerate(path):
            inner = first(type_)
            if is_struct(inner) and key in field_types(inner):
                type_ = field_types(inner)[key]
            elif get_origin(inner) is dict and key:
                type_ = get_args(inner)[1]
            else:
                hint = _nesting_hint(path, self._root)
                if not hint and is_struct(inner):
                    hint = near_miss(path[: depth + 1], inner, self._root)
                self.problems.append(ConfigProblem(name, ".".join(path), "", "no such setting", hint))
                return None
        return type_


def merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Lay `over` on `base`, table by table, in place."""
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


def _structured(untrusted_text: str) -> tuple[Any, bool]:
    """A JSON or TOML value, and whether it was one."""
    try:
        return msgspec.json.decode(untrusted_text), True
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {untrusted_text}")["value"], True
    except (tomllib.TOMLDecodeError, RecursionError):
        return None, False


def _nesting_hint(path: Path, root: type[Struct]) -> str:
    """`PAGEWORKER_REDIS_URL` was probably meant as `PAGEWORKER_REDIS__URL`."""
    section, _, rest = path[0].partition("_")
    if section in field_types(root) and rest and len(path) == 1:
        return f"did you mean `{PREFIX}{section.upper()}__{rest.upper()}`? Sections end with two underscores"
    return ""
