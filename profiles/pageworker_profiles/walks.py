"""The actions of the folder worker, by name. Each walks a whole folder."""

import os
from pathlib import Path
from typing import Any

from pageworker_profiles import opening_marker, trees
from pageworker_profiles.browser_version import BrowserVersion, last_version, refuse_older
from pageworker_profiles.errors import ProfileError, ProfileTampered, explained
from pageworker_profiles.sizes import FolderSize

SINGLETONS = ("SingletonLock", "SingletonCookie", "SingletonSocket")
"""Chromium's own lock: a link that names host and pid. The lock of a dead browser keeps the next one from starting."""


def answer(action: str, folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Do the action. Returns its result or its error as plain data."""
    try:
        with explained(f"{action}:", folder):
            return _do(action, folder, numbers)
    except ProfileError as error:
        return {"error": type(error).__name__, "text": str(error), "fields": error.fields()}


def prepare(
    data: Path,
    descriptor: int,
    most: FolderSize,
    uid: int,
    gid: int,
    browser: BrowserVersion | None = None,
    marker: int | None = None,
) -> FolderSize:
    """Prepare a profile's data for a browser of `uid` (-1: keep the owner). The caller holds the lock, so none runs.

    `descriptor` is that of the folder (O_PATH), which is mounted later. `data` is its path, for errors only.
    `browser`: its version; None: it is not compared. `marker`: of this opening, see opening_marker.py; None: none is
    written. Raises BrowserOlder, ProfileTampered, ProfileTooLarge, OSError.
    """
    # First: a profile that is refused keeps its owner.
    refuse_older(browser, last_version(descriptor))
    size = trees.measure(data, most, descriptor) if uid == -1 else trees.reown(data, uid, gid, most, descriptor)
    for name in SINGLETONS:
        try:
            os.unlink(name, dir_fd=descriptor)
        except FileNotFoundError:
            continue
        except IsADirectoryError as error:
            raise ProfileTampered(f"{data / name} is a folder: quarantine the profile") from error
    if marker is not None:
        opening_marker.put(data, descriptor, marker)
    return size


def _do(action: str, folder: Path, numbers: list[int]) -> dict[str, Any]:
    match action:
        case "prepare":
            files, size_bytes, uid, gid, descriptor, marker, *version = numbers
            browser = BrowserVersion(*version) if version else None
            size = prepare(folder, descriptor, FolderSize(files, size_bytes), uid, gid, browser, marker)
        case "measure":
            size = trees.measure(folder, FolderSize(*numbers))
        case "remove":
            trees.remove(folder)
            size = FolderSize(0, 0)
        case _:
            # Only here: the other actions are frequent, and need no more than the two modules above.
            from pageworker_profiles.snapshots import transfers

            return transfers.answer(action, folder, numbers)
    return {"files": size.files, "bytes": size.bytes}
