"""Reserves ranges of user ids among the daemons of one host, by locks on one file: byte N stands for user id N.

Two locks conflict exactly where their ranges overlap, and the kernel drops a lock when its process ends. The locks
belong to the open file description (F_OFD_SETLK in fcntl(2)), so closing another descriptor of the file keeps them. The
file is in /run itself: only root can create files there, so no other user can create it first. A daemon that is not
root needs the file made for it, with itself as owner (systemd: tmpfiles.d).
"""

import fcntl
import os
import pwd
import stat
import struct
from contextlib import suppress
from pathlib import Path

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_ranges import OWN_NAME, IdRange

LOCK_FILE = Path("/run/pageworker.uids")
FLOCK = "hhqqi0q"
"""struct flock: type, whence, start, length, pid."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UidLock:
    """Holds its ranges until it is closed."""

    def __init__(self, file: Path = LOCK_FILE) -> None:
        """Raises HostRefused if users other than root and the daemon's may change the file, or others its folder.

        Raises OSError if the file cannot be created.
        """
        _check(file.parent, file.parent.stat(follow_symlinks=False), stat.S_ISDIR, {0})
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(file, flags, 0o600)
        try:
            _check(file, os.fstat(self._descriptor), stat.S_ISREG, daemon_users())
        except HostRefused:
            self.close()
            raise

    def take(self, ids: IdRange) -> IdRange | None:
        """Reserve these ids. Returns None on success, else the conflicting range of another daemon."""
        wanted = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, ids.first, ids.count, 0)
        while True:
            try:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, wanted)
            except (BlockingIOError, PermissionError):
                answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, wanted)
                kind, _, first, count, _ = struct.unpack(FLOCK, answer)
                if kind != fcntl.F_UNLCK:
                    return IdRange(first, count)
                continue  # the other daemon has released it meanwhile
            return None

    def close(self) -> None:
        """Release every range."""
        os.close(self._descriptor)


def daemon_users() -> set[int]:
    """Root, this user, and the account `pageworker`: users under which daemons of this host run."""
    users = {0, os.geteuid()}
    with suppress(KeyError):
        users.add(pwd.getpwnam(OWN_NAME).pw_uid)
    return users


def _check(path: Path, status: os.stat_result, kind: object, owners: set[int]) -> None:
    right_kind = callable(kind) and kind(status.st_mode)
    if not right_kind or status.st_uid not in owners or status.st_mode & OTHERS_WRITE:
        raise HostRefused(
            f"users other than root may change {path}, so the user ids of runners cannot be reserved there",
            f"remove it, or run `chown root {path}` and `chmod go-w {path}`",
        )
