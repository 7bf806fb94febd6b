"""Kernel locks on files. The kernel releases a lock as soon as its holder has ended.

Source: flock(2). On NFS the kernel uses byte-range locks instead, which hold between hosts.
"""

import fcntl
import json
import os
import socket
import time
from pathlib import Path

MAX_HOLDER_BYTES = 1024


class Lock:
    """An exclusive lock on one file. Programs that this process starts do not inherit its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, wait: bool = False, sign: bool = True) -> "Lock | None":
        """Lock the file. Creates it where it is missing. None: another holder has it, and `wait` is False.

        `sign`: write our pid and host into it. Tries again if the file was replaced or renamed meanwhile, because a
        lock on a file that is not at its path any more protects nothing. Raises OSError.
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
        """Descriptor that holds the lock. Raises ValueError once the lock is released."""
        if self._descriptor is None:
            raise ValueError("the lock is released")
        return self._descriptor

    def release(self) -> None:
        """Release the lock. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> str:
    """The last signer of the lock: `pid 12 on host since …`. `another process` if that cannot be read."""
    try:
        with path.open("rb") as file:
            signed = json.loads(file.read(MAX_HOLDER_BYTES))
        return f"pid {signed['pid']} on {signed['host']} since {signed['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


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
