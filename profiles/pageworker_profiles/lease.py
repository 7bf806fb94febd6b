"""Leases: a folder that one runner uses, and the kernel lock on it."""

from pathlib import Path
from types import TracebackType
from typing import Self

from pageworker_profiles.locks import Lock


class FolderLease:
    """A locked folder, until `close`. A context manager. The kernel releases the lock too when the process ends."""

    def __init__(self, path: Path, uid: int | None, lock: Lock) -> None:
        self.path = path
        """The only part of the profile that a runner may see."""
        self.uid = uid
        self._lock = lock
        self._open = True

    @property
    def lock_descriptor(self) -> int:
        """Descriptor of the lock, for a child that must hold it too. Raises ValueError once the lease is closed."""
        return self._lock.descriptor

    @property
    def open(self) -> bool:
        """Whether the lock is still held."""
        return self._open

    def close(self) -> None:
        """Release the lock. The runner must have ended. May be called again."""
        self._open = False
        self._lock.release()

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
