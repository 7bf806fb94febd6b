"""Gives the data folder of a worker that ran as root to the user that it runs as from now on.

Only what a worker makes there is given away, whatever else the folder holds. Every access uses a descriptor of the
folder above and follows no link. The folder itself comes last: if it and its files belong to the new user, an earlier
handover was complete, and no worker has run as root since. A handover that was interrupted begins again, and changes
only what is left. After a complete one, each start looks at the upper levels alone: root may have restored a profile or
the files of Redis from a backup, and the new user could not open them. The folders of profiles and of Redis become
those of their users again when they are opened.
"""

import os
import socket
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.rights import ROOT
from pageworker_supervisor.host.uid_ranges import IdRange

SOCKET = "control.sock"
"""Of the worker that uses the folder. It accepts connections from the start of the worker to its end."""
FILES = (SOCKET, "incarnation", "audit.key", "audit.checkpoint", "user-ids")
FOLDERS = {"profiles": 3, "artifacts": 2, "modules": 1, "redis": 2}
"""What a worker makes in its data folder, and below each the levels at which each start looks for files of strangers:
down to `profiles/TENANT/PROFILE/data` and `redis/data/appendonlydir`. Commands of root publish into `registry`, which
stays root's."""
MAX_DEPTH = 100
ALL_IDS = (IdRange(0, 2**32 - 1),)
"""Root opens files of every user."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take_back(data_dir: Path) -> int:
    """Give it to root, which stays root here. The profiles, which other workers may use now, stay as they are.

    Returns and raises as `hand_over`.
    """
    return hand_over(data_dir, ROOT, ROOT, ALL_IDS, [name for name in FOLDERS if name != "profiles"])


def hand_over(
    data_dir: Path, uid: int, gid: int, mapped: Sequence[IdRange] = (), folders: Collection[str] = FOLDERS.keys()
) -> int:
    """Give it to this user and group. Needs root. Returns the number of files whose owner has changed.

    `mapped`: ids of the worker's sandboxes. The user can take over their files itself. Raises HostRefused for a file
    with several hard links, which could be a file elsewhere; OSError, also if another worker uses the folder: it would
    lose access to its files.
    """
    top = os.open(data_dir, _FOLDER)
    try:
        ours = (os.fstat(top).st_uid, os.fstat(top).st_gid) == (uid, gid)
        if ours and all(_owned(top, name, uid, gid) for name in FILES):
            strays = _Strays(uid, gid, (IdRange(uid, 1), *mapped))
            return sum(strays.give(top, name, data_dir, FOLDERS[name]) for name in folders)
        if _in_use(top):
            raise OSError(
                f"{data_dir}: another worker uses this data folder; set worker.data_dir to a folder of its own"
            )
        os.fchown(top, os.geteuid(), os.getegid())
        changed = sum(_give_tree(top, name, uid, gid, data_dir, MAX_DEPTH) for name in folders)
        changed += sum(_give(top, name, uid, gid, data_dir) for name in FILES)
        os.fchown(top, uid, gid)
    finally:
        os.close(top)
    return changed


def _in_use(top: int) -> bool:
    """Whether a worker serves the control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as client:
        try:
            client.connect(f"/proc/self/fd/{top}/{SOCKET}")
        except BlockingIOError:
            return True  # its queue of connections is full; connect(2)
        except OSError:
            return False
    return True


def _owned(parent: int, name: str, uid: int, gid: int) -> bool:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return (status.st_uid, status.st_gid) == (uid, gid)


class _Strays(Struct, frozen=True):
    """Files that neither the worker's user nor one of its sandboxes owns."""

    uid: int
    gid: int
    known: tuple[IdRange, ...]

    def give(self, parent: int, name: str, where: Path, levels: int) -> int:
        """Give them to the user, each with all that is in it."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not any(ids.contains(IdRange(status.st_uid, 1)) for ids in self.known):
                return _give_tree(parent, name, self.uid, self.gid, where, MAX_DEPTH)
            if levels == 0 or not stat.S_ISDIR(status.st_mode):
                return 0
            folder = os.open(name, _FOLDER, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        try:
            return sum(self.give(folder, entry, where / name, levels - 1) for entry, _ in _entries(folder))
        finally:
            os.close(folder)


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
