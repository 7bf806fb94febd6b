"""Gives the data folder of a worker that ran as root to the user that it runs as from now on.

Only what a worker makes there is given away, whatever else the folder holds. Every access uses a descriptor of the
folder above and follows no link. The folder itself comes last: if it and its files belong to the new user, an earlier
handover was complete, and no worker has run as root since. A handover that was interrupted begins again, and changes
only what is left. The folders of profiles and of Redis become those of their users again when they are opened.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pageworker_supervisor.host.errors import HostRefused

FILES = ("control.sock", "incarnation", "audit.key", "audit.checkpoint", "user-ids")
FOLDERS = ("profiles", "artifacts", "modules", "redis")
"""What a worker makes in its data folder. Commands of root publish into `registry`, which stays root's."""
MAX_DEPTH = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def hand_over(data_dir: Path, uid: int, gid: int) -> int:
    """Give it to this user and group. Needs root. Returns the number of files whose owner has changed.

    Raises HostRefused for a file with several hard links, which could be a file elsewhere; OSError.
    """
    top = os.open(data_dir, _FOLDER)
    try:
        ours = (os.fstat(top).st_uid, os.fstat(top).st_gid) == (uid, gid)
        if ours and all(_owned(top, name, uid, gid) for name in FILES):
            return 0
        os.fchown(top, os.geteuid(), os.getegid())
        changed = sum(_give_tree(top, name, uid, gid, data_dir, MAX_DEPTH) for name in FOLDERS)
        changed += sum(_give(top, name, uid, gid, data_dir) for name in FILES)
        os.fchown(top, uid, gid)
    finally:
        os.close(top)
    return changed


def _owned(parent: int, name: str, uid: int, gid: int) -> bool:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return (status.st_uid, status.st_gid) == (uid, gid)


def _give_tree(parent: int, name: str, uid: int, gid: int, where: Path, depth: int) -> int:
    """The content of a folder before the folder itself."""
    if depth == 0:
        raise HostRefused(f"{where / name} has more than {MAX_DEPTH} levels of folders", "inspect it, then delete it")
    changed = 0
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        return 0
    except NotADirectoryError:
        return _give(parent, name, uid, gid, where)
    try:
        for entry, is_folder in _entries(folder):
            if is_folder:
                changed += _give_tree(folder, entry, uid, gid, where / name, depth - 1)
            else:
                changed += _give(folder, entry, uid, gid, where / name)
    finally:
        os.close(folder)
    return changed + _give(parent, name, uid, gid, where)


def _entries(folder: int) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    yield from found


def _give(parent: int, name: str, uid: int, gid: int, where: Path) -> int:
    """Whether its owner has changed (1 or 0). A link keeps its owner, which has no effect."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return 0
    try:
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) == (uid, gid) or stat.S_ISLNK(status.st_mode):
            return 0
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            raise HostRefused(
                f"{where / name} has {status.st_nlink} hard links, perhaps outside of the data folder",
                "pageworker leaves no hard links there, so this may be an attack: inspect the file, then delete it",
            )
        # By way of /proc: fchown(2) accepts no O_PATH descriptor, and the name may be another file by now.
        os.chown(f"/proc/self/fd/{descriptor}", uid, gid)
    finally:
        os.close(descriptor)
    return 1
