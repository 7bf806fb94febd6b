"""What can go wrong with profiles, by blame. Each message says what, where, and how to mend it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal


class ProfileError(Exception):
    """Base."""

    retryable = False

    def fields(self) -> dict[str, Any]:
        """What it is made of beside its text, as plain data: it may come from another process."""
        return {}


class InvalidName(ProfileError):
    """A tenant, profile or runner id that the contract does not allow. The blame is the caller's."""


class ProfileBusy(ProfileError):
    """Somebody holds the profile. Retryable once they have closed it."""

    retryable = True

    def __init__(self, where: Path, holder: str) -> None:
        super().__init__(f"{where} is held by {holder}")
        self.holder = holder


class StaleFence(ProfileError):
    """A later lease has opened the profile already: whoever comes with this one has lost it."""

    def __init__(self, where: Path, fence: int, seen: int) -> None:
        super().__init__(f"{where} was opened with fence {seen}, {fence} is older")
        self.fence = fence
        self.seen = seen


class ProfileTampered(ProfileError):
    """A runner left something in its folder that must not be touched. The blame is the runner's.

    Open it without a uid and quarantine it.
    """


class ProfileTooLarge(ProfileError):
    """More files or bytes than a profile may have. The blame is the runner's.

    It stays as it is: raise `profiles.max_files` or `profiles.max_bytes`, or remove (parts of) the profile.
    """

    def __init__(self, text: str, used: int, allowed: int, unit: Literal["files", "bytes"]) -> None:
        super().__init__(text)
        self.used = used
        self.allowed = allowed
        self.unit = unit

    def fields(self) -> dict[str, Any]:
        """Both amounts."""
        return {"used": self.used, "allowed": self.allowed, "unit": self.unit}


class FolderWorkerFailed(ProfileError):
    """The process that walks a folder ended without an answer: it was killed, or the host has no memory."""

    retryable = True


class StoreFull(ProfileError):
    """No space or no quota left. The blame is the host's."""

    retryable = True


class HostExhausted(ProfileError):
    """No descriptor, memory or thread left. The blame is the host's, and it passes."""

    retryable = True


class StoreDenied(ProfileError):
    """No permission, or a read-only file system. The blame is the host's."""


class StoreDamaged(ProfileError):
    """A file of the store is not what the store wrote, or the disk fails. The blame is the host's."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS}


@contextmanager
def explained(act: str, where: Path) -> Iterator[None]:
    """Turn an OSError into the error that says how to mend it."""
    try:
        yield
    except OSError as error:
        text = f"{act} {where}: {error.strerror or error}"
        if error.errno in _FULL:
            raise StoreFull(f"{text}; free space or raise the quota there") from error
        if error.errno in _EXHAUSTED:
            raise HostExhausted(f"{text}; raise the daemon's limits (LimitNOFILE) or free memory") from error
        if error.errno in _DENIED:
            raise StoreDenied(f"{text}; the data folder must belong to the daemon's user and be writable") from error
        raise StoreDamaged(f"{text}; look at that path and the kernel's log") from error
