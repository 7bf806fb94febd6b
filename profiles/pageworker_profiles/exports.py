"""The file of an exported profile: a tar of its folder, behind a head that says whose it is.

The head is a comment in a global header of POSIX tar, so every tar program skips it. It has a fixed length: it is
written last, with the digest of the tar. Source: pax in POSIX.1-2017.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from pageworker_profiles.errors import ExportUnusable

SCHEMA = 1
READ_BYTES = 1024 * 1024
_RECORD_BYTES = 2 * tarfile.BLOCKSIZE
_COMMENT = b"%d comment=" % _RECORD_BYTES
_RECORD = re.compile(re.escape(_COMMENT) + rb"(\{[^\n]*\}) *\n", re.DOTALL)


class ProfileExport(Struct, frozen=True, kw_only=True):
    """What the head says."""

    tenant_id: str
    profile_id: str
    browser_version: str = ""
    """Of the browser that wrote it; "": not known."""
    exported_at: float
    """Unix seconds."""
    bytes: Annotated[int, Meta(ge=0)] = 0
    """Of the tar."""
    sha256: str = ""
    """Of the tar, hex."""
    schema: int = SCHEMA


class TarWriter:
    """Counts and digests what is written to a file. `write` is all that tarfile and the archive call."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Of the bytes so far, hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Add bytes of the tar."""
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)


class OpenedExport(NamedTuple):
    """An export that was checked. `file` stands at the begin of its tar."""

    head: ProfileExport
    file: IO[bytes]


def write_export(path: Path, head: ProfileExport, fill: Callable[[TarWriter], object]) -> ProfileExport:
    """Write a new file that only its owner reads: the head, and the tar that `fill` writes. Returns the whole head.

    Raises FileExistsError, OSError, and what `fill` raises. Then there is no such file.
    """
    with private_file(path) as file:
        file.write(_head_bytes(head))
        tar = TarWriter(file)
        fill(tar)
        head = msgspec.structs.replace(head, bytes=tar.bytes, sha256=tar.sha256)
        file.seek(0)
        file.write(_head_bytes(head))
    return head


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file that only its owner reads. It is synced after the block, and removed if the block fails.

    Raises FileExistsError, OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def check_export(file: IO[bytes], name: str) -> OpenedExport:
    """Read the head, and compare the tar with it. `name`: of the file, for errors. Raises ExportUnusable, OSError."""
    head = _read_head(file, name)
    begin = file.tell()
    digest = hashlib.sha256()
    left = head.bytes
    while left and (data := file.read(min(left, READ_BYTES))):
        digest.update(data)
        left -= len(data)
    if left or file.read(1) or digest.hexdigest() != head.sha256:
        raise ExportUnusable(f"{name} was changed or cut after the export: export the profile again")
    file.seek(begin)
    return OpenedExport(head, file)


def _read_head(file: IO[bytes], name: str) -> ProfileExport:
    block = _global_header()
    found = file.read(len(block) + _RECORD_BYTES)
    record = _RECORD.fullmatch(found[len(block) :])
    if not found.startswith(block) or record is None:
        raise ExportUnusable(f"{name} is no export of a profile: write one with `workerctl profile export`")
    try:
        head = msgspec.json.decode(record[1], type=ProfileExport)
    except msgspec.DecodeError as error:
        raise ExportUnusable(f"{name} is no export of a profile ({error})") from error
    if head.schema != SCHEMA:
        raise ExportUnusable(f"{name} has schema {head.schema}, this version reads {SCHEMA}: update pageworker")
    return head


def _head_bytes(head: ProfileExport) -> bytes:
    text = msgspec.json.encode(head)
    return _global_header() + _COMMENT + text.ljust(_RECORD_BYTES - len(_COMMENT) - 1) + b"\n"


def _global_header() -> bytes:
    info = tarfile.TarInfo("pax_global_header")
    info.type = tarfile.XGLTYPE
    info.size = _RECORD_BYTES
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
