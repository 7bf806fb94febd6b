"""The actions of the folder worker on content. Each takes a message on stdin, because keys must not be in arguments.

They run in the folder worker's process: content of a profile is hostile, and the daemon never reads it.
"""

import marshal
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pageworker_profiles.sizes import FolderSize


def answer(action: str, folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Do the action with the message on stdin. Raises ProfileError, OSError."""
    if action not in ("check", "move", "pack", "unpack"):
        raise ValueError(f"unknown action of the folder worker: {action}")
    message = marshal.load(sys.stdin.buffer)  # noqa: S302 - the daemon wrote it, with the same interpreter
    if "packages" in message:
        # This process has no site-packages. PyNaCl is the one package that it needs.
        sys.path.append(message["packages"])
    if action == "check":
        return check(folder, confined=True)
    return act(action, folder, numbers, message)


def act(action: str, folder: Path, numbers: list[int], message: dict[str, Any]) -> dict[str, Any]:
    """Do the action. Raises ProfileError, OSError."""
    if action == "move":
        folder.rename(message["to"])
        return {"files": 0, "bytes": 0}
    if action == "check":
        return check(folder, confined=False)
    most = FolderSize(*numbers)
    return pack(folder, message, most) if action == "pack" else unpack(folder, message, most)


def check(folder: Path, *, confined: bool) -> dict[str, Any]:
    """Check the browser's databases in the folder. Raises ContentDamaged, OSError.

    `confined`: this process gives up its rights before it parses one.
    """
    from pageworker_profiles import content_check

    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = content_check.check(top, partial(content_check.confine, top) if confined else lambda: None)
    finally:
        os.close(top)
    return {"sqlite": found.sqlite, "leveldb": found.leveldb}


def pack(folder: Path, message: dict[str, Any], most: FolderSize) -> dict[str, Any]:
    """Write the folder into the new file `message["file"]`. Raises ProfileTampered, ProfileTooLarge, OSError."""
    from pageworker_profiles.snapshots import archive, cipher

    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with Path(message["file"]).open("xb") as file:
            sealing = cipher.SealingWriter(file, message["key"], message["bound"])
            size = archive.pack(top, sealing, most)  # type: ignore[arg-type]  # tarfile calls `write` alone
            sealing.close()
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.close(top)
    return {"files": size.files, "bytes": size.bytes, "stored": sealing.bytes, "sha256": sealing.sha256}


def unpack(folder: Path, message: dict[str, Any], most: FolderSize) -> dict[str, Any]:
    """Fill the new folder from the file `message["file"]`. Raises SnapshotTampered, ProfileTooLarge, OSError."""
    from pageworker_profiles.snapshots import archive, cipher

    folder.mkdir(mode=0o700)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with Path(message["file"]).open("rb") as file:
            opening = cipher.OpeningReader(file, message["key"], message["bound"])
            size = archive.unpack(opening, top, most)  # type: ignore[arg-type]  # tarfile calls `read` alone
            opening.finish()
    finally:
        os.close(top)
    return {"files": size.files, "bytes": size.bytes}
