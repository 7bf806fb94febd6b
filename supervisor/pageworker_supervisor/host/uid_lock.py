"""User ids that daemons of one host hold, in one file that the kernel locks: byte N stands for user id N.

Locks of ranges conflict exactly where the ranges overlap, and the kernel drops them with the process. They belong to
the open file description (F_OFD_SETLK in fcntl(2)): no other open or close in this process drops them. The file is in
/run itself, where only root makes files: nobody else can put one there first.
"""

import fcntl
import os
import stat
import struct
from pathlib import Path

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_ranges import IdRange

LOCK_FILE = Path("/run/pageworker.uids")
FLOCK = "hhqqi0q"
"""struct flock: type, whence, start, length, pid."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UidLock:
    """Holds ranges until it is closed."""

    def __init__(self, file: Path = LOCK_FILE) -> None:
        """Raises HostRefused where the file, or its folder, is not root's alone; OSError where it cannot be made."""
        _check(file.parent, file.parent.stat(follow_symlinks=False), stat.S_ISDIR)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(file, flags, 0o600)
        try:
            _check(file, os.fstat(self._descriptor), stat.S_ISREG)
        except HostRefused:
            self.close()
            raise

    def take(self, ids: IdRange) -> IdRange | None:
        """Hold these ids. None: they are ours now; else the range of another daemon that is in the way."""
        wanted = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, ids.first, ids.count, 0)
        while True:
            try:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, wanted)
            except (BlockingIOError, PermissionError):
                answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, wanted)
                kind, _, first, count, _ = struct.unpack(FLOCK, answer)
                if kind != fcntl.F_UNLCK:
                    return IdRange(first, count)
                continue  # given back meanwhile
            return None

    def close(self) -> None:
        """Give everything back."""
        os.close(self._descriptor)


def _check(path: Path, status: os.stat_result, kind: object) -> None:
    right_kind = callable(kind) and kind(status.st_mode)
    if not right_kind or status.st_uid != 0 or status.st_mode & OTHERS_WRITE:
        raise HostRefused(
            f"{path} is not root's alone, so the user ids of runners cannot be reserved there",
            f"remove it, or `chown root {path}` and `chmod go-w {path}`",
        )
