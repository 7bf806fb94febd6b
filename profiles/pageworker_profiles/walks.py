"""What can be done to a whole folder, by name: the acts of the folder worker."""

from pathlib import Path
from typing import Any

from pageworker_profiles import trees
from pageworker_profiles.errors import ProfileError, ProfileTampered, explained
from pageworker_profiles.sizes import FolderSize

SINGLETONS = ("SingletonLock", "SingletonCookie", "SingletonSocket")
"""Chromium's own lock: a link that names host and pid. Of a dead browser it keeps the next one from starting."""


def answer(act: str, folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Do it; what came of it as plain data."""
    try:
        with explained(f"{act}:", folder):
            size = _do(act, folder, numbers)
    except ProfileError as error:
        return {"error": type(error).__name__, "text": str(error), "fields": error.fields()}
    return {"files": size.files, "bytes": size.bytes}


def prepare(data: Path, most: FolderSize, uid: int, gid: int) -> FolderSize:
    """Make a profile's data fit for a browser under `uid` (-1: whoever has it). Its lock is held: no browser is in it.

    Raises ProfileTampered, ProfileTooLarge, OSError.
    """
    size = trees.measure(data, most) if uid == -1 else trees.reown(data, uid, gid, most)
    for name in SINGLETONS:
        try:
            (data / name).unlink(missing_ok=True)
        except IsADirectoryError as error:
            raise ProfileTampered(f"{data / name} is a folder") from error
    return size


def _do(act: str, folder: Path, numbers: list[int]) -> FolderSize:
    match act:
        case "prepare":
            files, size_bytes, uid, gid = numbers
            return prepare(folder, FolderSize(files, size_bytes), uid, gid)
        case "measure":
            return trees.measure(folder, FolderSize(*numbers))
        case "remove":
            trees.remove(folder)
            return FolderSize(0, 0)
    raise ValueError(f"no act of a folder worker: {act}")
