"""AWS Parameter Store: parameters below a path become central values, and the other way round. Pure.

With the path `/pageworker/prod`, the parameter `/pageworker/prod/tenants/acme/weight` is `tenants.acme.weight`. Its
value is read like that of an environment variable: JSON, TOML, or a plain text. A parameter may hold a whole table:
`/pageworker/prod/domains` with `{"*.a.test": {"burst": 3}}`, for names that a parameter cannot have.
"""

import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec

from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.setting_names import dotted, is_table, path_of, type_at
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.config.value_text import value_of
from pageworker_supervisor.contract.type_names import first, is_struct

_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+")
"""Of a parameter's name. Source: AWS Systems Manager, PutParameter."""


class NoParameterName(ValueError):
    """A parameter cannot have the name of this setting."""


def values_of_parameters(base: str, parameters: Mapping[str, str]) -> CentralValues:
    """The central values. Names and types are checked later, by those who vote. A single setting overrides a table."""
    values: dict[str, Any] = {}
    for name in sorted(parameters, key=lambda name: (name.count("/"), name)):
        path = tuple(name.removeprefix(f"{base}/").split("/"))
        type_, known = type_at(Settings, path)
        if known < len(path):
            type_ = str
        values.update(_settings(type_, path, value_of(type_, parameters[name])))
    return values


def parameter_name(base: str, name: str) -> str:
    """The parameter of a setting. Raises NoParameterName."""
    path = path_of(name)
    if not all(_SEGMENT.fullmatch(part) for part in path):
        table = f"{base}/{path[0]}"
        raise NoParameterName(
            f"{name}: a parameter's name has A-Z a-z 0-9 _ . - only; put the setting into the table {table}, in JSON"
        )
    return "/".join((base, *path))


def _settings(type_: Any, path: Path, value: Any) -> dict[str, Any]:
    if not (is_table(type_) and isinstance(value, dict)):
        return {dotted(path): value}
    inner = first(type_)
    fields = {field.name: field.type for field in msgspec.structs.fields(inner)} if is_struct(inner) else {}
    other = get_args(inner)[1] if get_origin(inner) is dict else str
    found: dict[str, Any] = {}
    for key, one in value.items():
        found.update(_settings(fields.get(key, other), (*path, str(key)), one))
    return found
