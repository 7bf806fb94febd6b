"""Writes a file into a memfd while it arrives: counted, hashed, sealed at its end."""

import hashlib
import os
from types import TracebackType
from typing import Self

from pageworker_sandbox import memfd
from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.files.fetched_file import FetchedFile


class MemoryFile:
    """A file that arrives. Leave its `with` block without `sealed`, and nothing is left of it."""

    def __init__(self, max_bytes: int) -> None:
        """Raises OSError."""
        self._descriptor = memfd.create("job file")
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def append(self, part: bytes) -> None:
        """Take the next bytes. Raises FileError (`file_too_large`), OSError."""
        self.bytes += len(part)
        if self.bytes > self._max_bytes:
            raise FileError("file_too_large", f"it has more than {self._max_bytes} bytes")
        self._digest.update(part)
        memfd.append(self._descriptor, part)

    def sealed(self, name: str, content_type: str, *digests: str | None) -> FetchedFile:
        """The whole file, if each of `digests` that is given is its own. Raises FileError (`file_hash_mismatch`)."""
        found = self._digest.hexdigest()
        for digest in digests:
            if digest is not None and digest != found:
                raise FileError("file_hash_mismatch", f"its SHA-256 is {found}, expected {digest}")
        memfd.finish(self._descriptor)
        descriptor, self._descriptor = self._descriptor, -1
        return FetchedFile(name, content_type, found, self.bytes, descriptor)
