"""Files of a module's own package, where calls of Playwright take a path. No other file is there for a module.

`files(__package__) / "orders.csv"` and `Path(__file__).parent / "orders.csv"` both name one. Playwright's client would
look for it on disk, where no bundle is.
"""

import mimetypes
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pageworker_runner.pages.playwright_internals.file_arguments import intercept_file_reads, intercept_uploads

ReadPackageFile = Callable[[str], bytes | None]
"""Takes `name@version/package/file`."""


@dataclass(frozen=True)
class PackageFile:
    """One file of a bundle."""

    name: str
    """Without its folder."""
    data: bytes

    def payload(self) -> dict[str, Any]:
        """As an upload that is given by its bytes."""
        kind, _ = mimetypes.guess_type(self.name)
        return {"name": self.name, "mimeType": kind or "application/octet-stream", "buffer": self.data}


def install(read: ReadPackageFile) -> None:
    """Have Playwright's client find these files, for the rest of the process."""

    def data_of(path: Any) -> bytes | None:
        found = find(path, read)
        return None if found is None else found.data

    intercept_file_reads(data_of)
    intercept_uploads(lambda files: with_payloads(files, read))


def find(path: Any, read: ReadPackageFile) -> PackageFile | None:
    """The package's file that `path` names. None: it names none."""
    if isinstance(path, zipfile.Path):
        return PackageFile(path.name, path.read_bytes()) if path.is_file() else None
    if not isinstance(path, str | PurePath):
        return None
    # `__file__` is `name@version/package/file`, and `.absolute()` puts the working directory `/` before it.
    normal = os.path.normpath(path).lstrip("/")
    data = read(normal)
    return None if data is None else PackageFile(PurePath(normal).name, data)


def with_payloads(files: Any, read: ReadPackageFile) -> Any:
    """What to upload, with the bytes of the package's files in place of their paths."""
    several = isinstance(files, list | tuple)
    items = list(files) if several else [files]
    changed = [each if (found := find(each, read)) is None else found.payload() for each in items]
    return changed if several else changed[0]
