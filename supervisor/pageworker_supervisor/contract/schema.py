"""Generates the JSON Schemas of job and result: `python -m pageworker_supervisor.contract.schema --write`."""

import sys
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import Result

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SHIPPED: dict[str, type[Struct]] = {"job.schema.json": Job, "result.schema.json": Result}


def schema(struct: type[Struct]) -> dict[str, Any]:
    """The JSON Schema of a Struct, draft 2020-12. The Struct itself is the top-level schema."""
    (top,), parts = msgspec.json.schema_components([without_raw_defaults(struct)], ref_template="#/$defs/{name}")
    name = top["$ref"].rpartition("/")[2]
    body = parts.pop(name)
    document = {"$schema": DIALECT, **body}
    if parts:
        document["$defs"] = parts
    written: dict[str, Any] = portable(document)
    return written


def without_raw_defaults(struct: type[Struct]) -> type[Struct]:
    """The same Struct with Raw defaults as factories: msgspec cannot write Raw values into a schema."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        default = field.default
        if isinstance(default, msgspec.Raw):
            fields.append((field.name, field.type, msgspec.field(default_factory=partial(msgspec.Raw, default))))
        else:
            fields.append((field.name, field.type, *(() if field.required else (_default(field),))))
    copy = msgspec.defstruct(
        struct.__name__,
        fields,
        kw_only=True,
        forbid_unknown_fields=struct.__struct_config__.forbid_unknown_fields,
    )
    copy.__doc__ = struct.__doc__
    return copy


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return msgspec.field(default_factory=field.default_factory)


def shipped(name: str) -> bytes:
    """The text of a schema file in this package: `job.schema.json` or `result.schema.json`."""
    return resources.files(__package__).joinpath(name).read_bytes()


def render(struct: type[Struct]) -> bytes:
    """The bytes of the schema file of a Struct."""
    return msgspec.json.format(msgspec.json.encode(schema(struct)), indent=2) + b"\n"


def portable(value: Any) -> Any:
    r"""Write patterns in ECMA-262, as JSON Schema needs it: `\Z` does not exist there, and `$` is the very end."""
    match value:
        case dict():
            return {
                key: inner.replace(r"\Z", "$") if key == "pattern" else portable(inner) for key, inner in value.items()
            }
        case list():
            return [portable(inner) for inner in value]
    return value


def main() -> None:
    """Write the schemas into the package (`--write`), or print them."""
    for name, struct in SHIPPED.items():
        if "--write" in sys.argv[1:]:
            (Path(__file__).parent / name).write_bytes(render(struct))
        else:
            sys.stdout.write(render(struct).decode())


if __name__ == "__main__":
    main()
