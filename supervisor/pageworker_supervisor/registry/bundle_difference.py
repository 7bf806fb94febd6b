"""What differs between two bundles: manifest, schemas, files. Pure."""

from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.signing import PackedBundle
from pageworker_sandbox.signing.archive import read_archive
from pageworker_sandbox.signing.bundle import OUTPUT_FILE, SCHEMA_FILE
from pageworker_sandbox.signing.manifest import FILE

MAX_SHOWN = 200
"""Characters of a value, or of a line."""


class ValueDifference(Struct, frozen=True):
    """A value of the manifest or of a schema. `before` and `after`: JSON, cut to 200 characters; None: not there."""

    key: str
    before: str | None
    after: str | None


class FileDifference(Struct, frozen=True, kw_only=True):
    """A file of the bundle. Sizes are bytes; None: not there.

    Of two texts, `line` is the first one that differs, from 1. `before` and `after` are this line, cut to 200
    characters; None: there is no such line.
    """

    file: str
    change: Literal["added", "removed", "changed"]
    before_bytes: int | None = None
    after_bytes: int | None = None
    line: int | None = None
    before: str | None = None
    after: str | None = None


class BundleDifference(Struct, frozen=True):
    """Of `module diff`. `before` and `after`: `name@version`. module.toml and the schemas are no files here."""

    before: str
    after: str
    manifest: tuple[ValueDifference, ...]
    input_schema: tuple[ValueDifference, ...]
    output_schema: tuple[ValueDifference, ...]
    files: tuple[FileDifference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing but perhaps comments of module.toml differs."""
        return not (self.manifest or self.input_schema or self.output_schema or self.files)


def bundle_difference(before: PackedBundle, after: PackedBundle) -> BundleDifference:
    """What differs, by key and by file name."""
    return BundleDifference(
        before=f"{before.name}@{before.version}",
        after=f"{after.name}@{after.version}",
        manifest=tuple(_values(_manifest(before), _manifest(after))),
        input_schema=tuple(_values(before.input_schema, after.input_schema)),
        output_schema=tuple(_values(before.output_schema or {}, after.output_schema or {})),
        files=file_differences(before.data, after.data, but={FILE, SCHEMA_FILE, OUTPUT_FILE}),
    )


def file_differences(before: bytes, after: bytes, but: Collection[str] = ()) -> tuple[FileDifference, ...]:
    """The files of two bundles that differ, by name. `but`: names that are left out. Raises BundleMalformed."""
    return tuple(_files(read_archive(before), read_archive(after), but))


def _manifest(bundle: PackedBundle) -> dict[str, Any]:
    """The keys of the manifest. Its schemas are compared as they were packed."""
    values: dict[str, Any] = msgspec.to_builtins(bundle.manifest)
    return {key: value for key, value in values.items() if key not in ("input", "output")}


def _values(before: Any, after: Any, path: str = "") -> Iterator[ValueDifference]:
    """The differences of two JSON values: objects key by key, all others whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield ValueDifference(inner, None, _json(after[key]))
            elif key not in after:
                yield ValueDifference(inner, _json(before[key]), None)
            else:
                yield from _values(before[key], after[key], inner)
    elif before != after:
        yield ValueDifference(path, _json(before), _json(after))


def _files(before: dict[str, bytes], after: dict[str, bytes], but: Collection[str]) -> Iterator[FileDifference]:
    for name in sorted({*before, *after}.difference(but)):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            yield FileDifference(file=name, change="added", after_bytes=len(new))
        elif old is not None and new is None:
            yield FileDifference(file=name, change="removed", before_bytes=len(old))
        elif old is not None and new is not None and old != new:
            yield _changed(name, old, new)


def _changed(name: str, before: bytes, after: bytes) -> FileDifference:
    line, old, new = None, None, None
    try:
        # With their ends: another line end is a difference, too.
        pairs = zip_longest(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True))
    except UnicodeDecodeError:
        pass
    else:
        line, (old, new) = next((at, pair) for at, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return FileDifference(
        file=name,
        change="changed",
        before_bytes=len(before),
        after_bytes=len(after),
        line=line,
        before=None if old is None else _cut(old),
        after=None if new is None else _cut(new),
    )


def _json(value: Any) -> str:
    return _cut(msgspec.json.encode(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
