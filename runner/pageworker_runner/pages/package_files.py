"""Files of a module's own package, where calls of Playwright take a path. No other file is there for a module.

`files(__package__) / "orders.csv"` and `Path(__file__).parent / "orders.csv"` both name one. Playwright's client would
look for it on disk, where no bundle is.
"""

import mimetypes
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.har_archive import HarArchive, ReadBeside, open_har
from pageworker_runner.pages.playwright_internals.file_arguments import (
    FolderUpload,
    intercept_file_reads,
    intercept_uploads,
)
from pageworker_runner.pages.playwright_internals.har_routes import intercept_har_routes
from pageworker_runner.pages.side_effects import leaves_its_folder

ReadPackageFile = Callable[[str], bytes | None]
"""Takes `name@version/package/file`."""

ListPackageFolder = Callable[[str], Sequence[str]]
"""Takes `name@version/package/folder`, and gives the names of all files below it, as ReadPackageFile takes them."""


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


def install(read: ReadPackageFile, list_folder: ListPackageFolder) -> None:
    """Have Playwright's client find these files, for the rest of the process."""

    def data_of(path: Any) -> bytes | None:
        found = find(path, read)
        return None if found is None else found.data

    intercept_file_reads(data_of)
    intercept_uploads(lambda files: with_payloads(files, read), lambda files: folder_of(files, read, list_folder))
    intercept_har_routes(lambda path: har_of(path, read))


def find(path: Any, read: ReadPackageFile) -> PackageFile | None:
    """The package's file that `path` names. None: it names none."""
    if isinstance(path, zipfile.Path):
        return PackageFile(path.name, path.read_bytes()) if path.is_file() else None
    if (normal := _normal(path)) is None:
        return None
    data = read(normal)
    return None if data is None else PackageFile(PurePath(normal).name, data)


def find_folder(path: Any, read: ReadPackageFile, list_folder: ListPackageFolder) -> FolderUpload | None:
    """The package's folder that `path` names, with all files below it. None: it names none, or an empty one.

    Raises Playwright's Error for a folder that has no name of its own.
    """
    if isinstance(path, zipfile.Path):
        names = [each for each in path.root.namelist() if each.startswith(path.at) and not each.endswith("/")]
        inside = {each.removeprefix(path.at): path.root.read(each) for each in names}
        if not path.is_dir() or not inside:
            return None
        if leaves_its_folder(path.name):
            raise BrowserError(f"A folder named {path.name} cannot be uploaded: give one with a name of its own")
        return path.name, inside
    if (normal := _normal(path)) is None:
        return None
    found = {name.removeprefix(f"{normal}/"): read(name) or b"" for name in list_folder(normal)}
    return (PurePath(normal).name, found) if found else None


def with_payloads(files: Any, read: ReadPackageFile) -> Any:
    """What to upload, with the bytes of the package's files in place of their paths."""
    several = isinstance(files, list | tuple)
    items = list(files) if several else [files]
    changed = [each if (found := find(each, read)) is None else found.payload() for each in items]
    return changed if several else changed[0]


def folder_of(files: Any, read: ReadPackageFile, list_folder: ListPackageFolder) -> FolderUpload | None:
    """The one folder that is uploaded. None: it is none. Raises Playwright's Error, as its client does."""
    items = list(files) if isinstance(files, list | tuple) else [files]
    folders = [found for each in items if (found := find_folder(each, read, list_folder)) is not None]
    if len(folders) > 1:
        raise BrowserError("Multiple directories are not supported")
    if folders and len(items) > 1:
        raise BrowserError("File paths must be all files or a single directory")
    return folders[0] if folders else None


def har_of(path: Any, read: ReadPackageFile) -> HarArchive | None:
    """The package's HAR that `path` names. None: it names none. Raises HarUnreadable."""
    found = find(path, read)
    return None if found is None else open_har(found.name, found.data, _beside(path, read))


def _beside(path: Any, read: ReadPackageFile) -> ReadBeside:
    """What reads the files in the folder of `path`, which names a file of the package."""
    if isinstance(path, zipfile.Path):
        # Any: typeshed declares a pathlib.Path here, where the path is the zip file itself.
        parent: Any = path.parent
        return lambda name: found.read_bytes() if (found := parent / name).is_file() else None
    folder = PurePath(_normal(path) or "").parent
    return lambda name: read(str(folder / name))


def _normal(path: Any) -> str | None:
    """The path as ReadPackageFile takes it. None: it is no path."""
    # `__file__` is `name@version/package/file`, and `.absolute()` puts the working directory `/` before it.
    return os.path.normpath(path).lstrip("/") if isinstance(path, str | PurePath) else None
