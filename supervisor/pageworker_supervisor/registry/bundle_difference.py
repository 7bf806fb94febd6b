"""Where two bundles differ: by file, with the first line that differs. Pure."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Literal

from msgspec import Struct

from pageworker_sandbox.signing.archive import read_archive

MAX_LINE_CHARS = 200


class FileDifference(Struct, frozen=True, kw_only=True):
    """One file. `published` and `rebuilt` are the texts of the first line that differs; None: there is no such line."""

    file: str
    kind: Literal["only in the bundle", "only in the folder", "differs"]
    line: int | None = None
    """From 1. None: one of the two is no text."""
    published: str | None = None
    rebuilt: str | None = None


def differences(published: bytes, rebuilt: bytes) -> tuple[FileDifference, ...]:
    """What differs between two bundles, in the order of the file names. Raises BundleMalformed."""
    return tuple(_differences(read_archive(published), read_archive(rebuilt)))


def _differences(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[FileDifference]:
    for name in sorted({*before, *after}):
        if name not in after:
            yield FileDifference(file=name, kind="only in the bundle")
        elif name not in before:
            yield FileDifference(file=name, kind="only in the folder")
        elif before[name] != after[name]:
            yield _difference(name, before[name], after[name])


def _difference(name: str, before: bytes, after: bytes) -> FileDifference:
    try:
        # With their ends: another line end is a difference, too.
        lines = zip_longest(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True))
        number, (old, new) = next((at, pair) for at, pair in enumerate(lines, 1) if pair[0] != pair[1])
    except UnicodeDecodeError:
        return FileDifference(file=name, kind="differs")
    return FileDifference(file=name, kind="differs", line=number, published=_cut(old), rebuilt=_cut(new))


def _cut(line: str | None) -> str | None:
    return None if line is None else line[:MAX_LINE_CHARS]
