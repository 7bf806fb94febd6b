"""What is held: a folder for one runner, and the kernel's lock on it."""

from pathlib import Path
from types import TracebackType
from typing import Self

from pageworker_profiles.locks import Lock


class FolderLease:
    """A folder that is ours until `close`. A context; the lock also goes with the process, however it ends."""

    def __init__(self, path: Path, uid: int | None, lock: Lock) -> None:
        self.path = path
        """The only part that a runner may see."""
        self.uid = uid
        self._lock = lock
        self._open = True

    @property
    def lock_descriptor(self) -> int:
        """The kernel's lock as a descriptor, for a child that is to hold it too. Raises ValueError once closed."""
        return self._lock.descriptor

    @property
    def open(self) -> bool:
        """Whether the lock is still held."""
        return self._open

    def close(self) -> None:
        """Give it back; the runner must be dead. May be called again."""
        self._open = False
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ProfileLease(FolderLease):
    """An open profile."""

    def __init__(self, path: Path, uid: int | None, lock: Lock, tenant_id: str, profile_id: str) -> None:
        super().__init__(path, uid, lock)
        self.tenant_id = tenant_id
        self.profile_id = profile_id
