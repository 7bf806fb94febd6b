"""Settings come in layers: defaults, file, central configuration, environment. A later layer overrides one before it.

A table overrides key by key, so a layer may set one setting of a tenant and leave the others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from pageworker_supervisor.config.check import decode_path
from pageworker_supervisor.config.environment import merge
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.setting_names import flat
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path

LayerName = Literal["default", "file", "central", "environment"]

DEFAULT: LayerName = "default"

KEPT_TABLES = ("tenants", "domains")
"""Tables whose default, the entry `*`, goes if the file or the environment names them: so a file can refuse tenants
that it does not name. The central configuration only adds to them."""


@dataclass(frozen=True)
class Layer:
    """The valid settings of one source as plain data, and its mistakes."""

    name: LayerName
    tree: dict[str, Any]
    problems: tuple[ConfigProblem, ...]
    source_of: Callable[[Path], str | None]
    """Where the layer sets a path, or a table that holds it: `pageworker.toml:7`, a variable. None: it does not."""


@dataclass(frozen=True)
class SettingOrigin:
    """One setting in effect: its value, the layer that set it, and where. `source` is "" for a default."""

    path: Path
    value: Any
    layer: LayerName
    source: str


def combine(layers: Sequence[Layer]) -> Settings:
    """The settings of all layers, without the checks of rules.py."""
    merged: dict[str, Any] = {}
    for layer in layers:
        if layer.name == "central":
            for table in KEPT_TABLES:
                if table in layer.tree and not any(table in other.tree for other in layers if other is not layer):
                    merged[table] = {"*": {}}
        merge(merged, copied(layer.tree))
    return msgspec.convert(merged, Settings, dec_hook=decode_path)


def source_of(layers: Sequence[Layer], path: Path) -> str:
    """Where the value of a setting comes from, or of a table that holds it."""
    return next((found for layer in reversed(layers) if (found := layer.source_of(path))), DEFAULT)


def origins(layers: Sequence[Layer]) -> Iterator[SettingOrigin]:
    """Every setting in effect, in the order of the sections."""
    for path, value in flat(combine(layers)).items():
        setter = next((layer for layer in reversed(layers) if _sets(layer.tree, path)), None)
        if setter is None:
            yield SettingOrigin(path, value, DEFAULT, "")
        else:
            yield SettingOrigin(path, value, setter.name, setter.source_of(path) or "")


def copied(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree with tables of its own, so that a merge does not change the layer."""
    return {key: copied(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _sets(tree: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True
