"""What a worker's local folder of a profile is: a snapshot, newer than one, or open in a browser.

The mark is written and synced before a browser gets the folder, and after each step that changes it. So it tells the
truth after a crash at any moment, and a folder that a killed browser left is never taken for a good one.
"""

import os
from enum import Enum
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_profiles.errors import StoreDamaged

FILE = "local.json"


class CopyUse(Enum):
    """What may be done with a local folder at the next opening."""

    AS_IT_IS = "as_it_is"
    """It is the newest good snapshot."""
    PUBLISH = "publish"
    """It is newer than every snapshot, and was closed normally."""
    ADOPT = "adopt"
    """The profile has never been in the store: this folder is how it begins."""
    FETCH = "fetch"
    """It is an old snapshot, or nothing: the newest good one replaces it."""
    SET_ASIDE = "set_aside"
    """It is newer than its snapshot and must not be published: keep it, and fetch the newest good one."""


class LocalCopy(Struct, frozen=True, kw_only=True):
    """The mark beside a local folder."""

    state: Literal["open", "unpublished", "published"]
    """`open`: a browser has it, or was killed with it. `unpublished`: closed normally. `published`: a snapshot."""
    store: str
    """Id of the snapshot store."""
    fence: int
    """Under which it was opened last."""
    snapshot: str = ""
    """Id of the snapshot that it is (`published`), or began as."""
    browser_version: str = ""
    boot: str = ""
    """Of the kernel that has it in its page cache. After a power cut, files may be older than the mark."""


def next_use(
    copy: LocalCopy | None, *, has_data: bool, store: str, boot: str, newest: str, fence: int | None
) -> CopyUse:
    """What the mark and the head say together. Pure.

    `newest`: id of the newest good snapshot, "" without one. `fence`: the head's before this opening; None: no head.
    """
    if copy is not None and copy.store != store:
        copy = None
    if copy is None:
        if not has_data:
            return CopyUse.FETCH
        return CopyUse.SET_ASIDE if newest else CopyUse.ADOPT
    match copy.state:
        case "published":
            return CopyUse.AS_IT_IS if newest and (copy.snapshot, copy.boot) == (newest, boot) else CopyUse.FETCH
        case "unpublished":
            return CopyUse.PUBLISH if fence is None or fence <= copy.fence else CopyUse.SET_ASIDE
        case "open":
            return CopyUse.SET_ASIDE


def read_copy(folder: Path) -> LocalCopy | None:
    """The mark in a profile's folder; None: there is none. Raises StoreDamaged, OSError."""
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=LocalCopy)
    except msgspec.DecodeError as error:
        raise StoreDamaged(f"{folder / FILE}: {error}: delete this file and the folder `data` beside it") from error


def write_copy(folder: Path, copy: LocalCopy) -> None:
    """Write the mark, so that a power cut leaves the old or the new one. Raises OSError."""
    new = folder / f"{FILE}.new"
    with new.open("wb") as file:
        file.write(msgspec.json.encode(copy))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    _sync(folder)


def drop_copy(folder: Path) -> None:
    """Remove the mark: from now on the folder is of unknown origin. Raises OSError."""
    (folder / FILE).unlink(missing_ok=True)
    _sync(folder)


def boot_id() -> str:
    """Of the running kernel. Source: random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
