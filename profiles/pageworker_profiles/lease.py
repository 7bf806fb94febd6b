"""Leases: a folder that one runner uses, and the kernel lock on it."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.locks import Lock


class FolderLease:
    """A locked folder, until `close`. A context manager. The kernel releases the lock too when the process ends.

    The constructor raises OSError where `path` is no folder, or a symbolic link.
    """

    def __init__(self, path: Path, uid: int | None, lock: Lock) -> None:
        self.path = path
        """The only part of the profile that a runner may see."""
        self.uid = uid
        self._lock = lock
        self._open = True
        self._folder: int | None = _pointer(path)

    @property
    def lock_descriptor(self) -> int:
        """Descriptor of the lock, for a child that must hold it too. Raises ValueError once the lease is closed."""
        return self._lock.descriptor

    @property
    def folder_descriptor(self) -> int:
        """O_PATH descriptor of the folder at `path`. What is checked and mounted is this folder, whatever `path` names
        by then. Raises ValueError once the lease is closed."""
        if self._folder is None:
            raise ValueError("the lease is closed")
        return self._folder

    def follow_path(self) -> None:
        """The owner of the lease has put another folder at `path`. Raises OSError."""
        new = _pointer(self.path)
        self._close_folder()
        self._folder = new

    @property
    def open(self) -> bool:
        """Whether the lock is still held."""
        return self._open

    def close(self) -> None:
        """Release the lock. The runner must have ended. May be called again."""
        self._open = False
        self._close_folder()
        self._lock.release()

    def _close_folder(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ProfileLease(FolderLease):
    """The lease of an open profile."""

    def __init__(self, path: Path, uid: int | None, lock: Lock, tenant_id: str, profile_id: str) -> None:
        super().__init__(path, uid, lock)
        self.tenant_id = tenant_id
        self.profile_id = profile_id
        self.marker: str | None = None
        """What a browser finds in the folder that was prepared for this lease. See opening_marker.py."""
        self.checkpoint: ProfileCheckpoint | None = None
        """What the last browser of the profile held before it was killed, for the next one. None: it ended normally."""


def _pointer(path: Path) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
