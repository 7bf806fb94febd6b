"""Makes the paths in settings absolute: those of a file count from the file's folder. Pure."""

from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec

from pageworker_supervisor.contract.type_names import first, is_struct

LOCATION = msgspec.Meta(extra={"location": True})
"""Marks a text that may be a path, and may be something else: a URL, or the line of a public key."""

KEY_LINE = ("RW", 56)
"""How the base64 line of a minisign public key begins, and its length."""


def absolute_paths(type_: Any, value: Any, folder: Path) -> Any:
    """The plain data of a setting or section of this type, with each relative path counted from `folder`."""
    inner = first(type_)
    if is_struct(inner) and isinstance(value, dict):
        types = {field.name: field.type for field in msgspec.structs.fields(inner)}
        return {name: absolute_paths(types[name], one, folder) for name, one in value.items()}
    if get_origin(inner) is dict and isinstance(value, dict):
        return {name: absolute_paths(get_args(inner)[1], one, folder) for name, one in value.items()}
    if get_origin(inner) is tuple and isinstance(value, list | tuple):
        return type(value)(absolute_paths(get_args(inner)[0], one, folder) for one in value)
    if isinstance(value, str) and (inner is Path or (_is_location(inner) and _is_path(value))):
        return str(folder / Path(value).expanduser())
    return value


def _is_location(type_: Any) -> bool:
    return get_origin(type_) is Annotated and LOCATION in get_args(type_)[1:]


def _is_path(text: str) -> bool:
    start, length = KEY_LINE
    return "://" not in text and not (text.startswith(start) and len(text) == length)
