"""An upload on its way into the store: a file without a name, counted and hashed while it arrives.

The store sees an upload only once it is whole and its digest is checked. So nothing of a broken one is left, on any
kind of store. The kernel frees a file without a name when the process ends.
"""

import asyncio
import hashlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pageworker_supervisor.files.stored_file import HEADER_BYTES, StoredFile, header_of

WRITE_BYTES = 1024 * 1024
"""Arrived bytes are hashed and written in parts of about this size, in a thread."""


class UploadSpool:
    """One upload. Use it as a `with` block, whose end closes it. Its methods raise OSError if the disk fails."""

    def __init__(self, folder: Path) -> None:
        """`folder` exists. Raises OSError."""
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - `with` closes it
        self._file.seek(HEADER_BYTES)
        self._digest = hashlib.sha256()
        self._parts: list[bytes] = []
        self._waiting = 0
        self.bytes = 0
        """That have arrived."""

    async def append(self, part: bytes) -> None:
        """Take the next bytes."""
        self.bytes += len(part)
        self._waiting += len(part)
        self._parts.append(part)
        if self._waiting >= WRITE_BYTES:
            await self._write()

    async def ended(self) -> str:
        """All bytes have come. Returns their SHA-256."""
        await self._write()
        return self._digest.hexdigest()

    async def describe(self, file: StoredFile) -> Path:
        """Put its description before the bytes. Returns a path of the whole, as long as the block lasts."""
        await asyncio.to_thread(self._write_header, header_of(file))
        return Path(f"/proc/self/fd/{self._file.fileno()}")

    async def _write(self) -> None:
        data, self._parts, self._waiting = b"".join(self._parts), [], 0
        if data:
            await asyncio.to_thread(self._write_data, data)

    def _write_data(self, data: bytes) -> None:
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _write_header(self, header: bytes) -> None:
        self._file.seek(0)
        self._file.write(header)
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
