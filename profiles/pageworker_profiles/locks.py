"""Kernel locks on files: held by an open file description, so that a dead holder's are free at once.

Source: flock(2). On NFS the kernel turns them into byte-range locks that hold between hosts.
"""

import fcntl
import json
import os
import socket
import time
from pathlib import Path

MAX_HOLDER_BYTES = 1024


class Lock:
    """One file's exclusive lock. `descriptor` is not inherited by programs that are started."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, wait: bool = False, sign: bool = True) -> "Lock | None":
        """Lock the file, making it where it is missing; None where another has it; `sign` it with our name.

        Tries again when the file was replaced or renamed away in between: a lock on a file that is no
        longer at its path protects nothing. Raises OSError.
        """
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if _same_file(descriptor, path):
                    if sign:
                        _sign(descriptor)
                    return cls(descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """Raises ValueError once it is released."""
        if self._descriptor is None:
            raise ValueError("the lock is released")
        return self._descriptor

    def release(self) -> None:
        """Give the lock back. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> str:
    """Who signed the lock last: `pid 12 on host since …`, as far as that can be read."""
    try:
        with path.open("rb") as file:
            signed = json.loads(file.read(MAX_HOLDER_BYTES))
        return f"pid {signed['pid']} on {signed['host']} since {signed['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "somebody"


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)
