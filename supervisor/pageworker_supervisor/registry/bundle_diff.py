"""What differs between two bundles: manifest, schemas, files. Pure."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.signing import PackedBundle
from pageworker_sandbox.signing.archive import read_archive
from pageworker_sandbox.signing.bundle import OUTPUT_FILE, SCHEMA_FILE
from pageworker_sandbox.signing.manifest import FILE

MAX_SHOWN = 200
"""Characters of a value."""


class ValueChange(Struct, frozen=True):
    """A value of the manifest or of a schema. `before` and `after`: JSON, cut to 200 characters; None: not there."""

    key: str
    before: str | None
    after: str | None


class FileChange(Struct, frozen=True):
    """A file of the bundle. Sizes are bytes; None: not there."""

    file: str
    change: Literal["added", "removed", "changed"]
    before_bytes: int | None
    after_bytes: int | None


class BundleDiff(Struct, frozen=True):
    """Of `module diff`. `before` and `after`: `name@version`. module.toml and the schemas are no files here."""

    before: str
    after: str
    manifest: tuple[ValueChange, ...]
    input_schema: tuple[ValueChange, ...]
    output_schema: tuple[ValueChange, ...]
    files: tuple[FileChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing but perhaps comments of module.toml differs."""
        return not (self.manifest or self.input_schema or self.output_schema or self.files)


def bundle_diff(before: PackedBundle, after: PackedBundle) -> BundleDiff:
    """All differences, by key and by file name."""
    return BundleDiff(
        before=f"{before.name}@{before.version}",
        after=f"{after.name}@{after.version}",
        manifest=tuple(_values(_manifest(before), _manifest(after))),
        input_schema=tuple(_values(before.input_schema, after.input_schema)),
        output_schema=tuple(_values(before.output_schema or {}, after.output_schema or {})),
        files=tuple(_files(read_archive(before.data), read_archive(after.data))),
    )


def _manifest(bundle: PackedBundle) -> dict[str, Any]:
    """The keys of the manifest. Its schemas are compared as they were packed."""
    values: dict[str, Any] = msgspec.to_builtins(bundle.manifest)
    return {key: value for key, value in values.items() if key not in ("input", "output")}


def _values(before: Any, after: Any, path: str = "") -> Iterator[ValueChange]:
    """The differences of two JSON values: objects key by key, all others whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield ValueChange(inner, None, _json(after[key]))
            elif key not in after:
                yield ValueChange(inner, _json(before[key]), None)
            else:
                yield from _values(before[key], after[key], inner)
    elif before != after:
        yield ValueChange(path, _json(before), _json(after))


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _files(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[FileChange]:
    for name in sorted({*before, *after} - {FILE, SCHEMA_FILE, OUTPUT_FILE}):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            yield FileChange(name, "added", None, len(new))
        elif old is not None and new is None:
            yield FileChange(name, "removed", len(old), None)
        elif old is not None and new is not None and old != new:
            yield FileChange(name, "changed", len(old), len(new))
