"""What can go wrong with profiles, by blame. Each message says what happened, where, and how to fix it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal


class ProfileError(Exception):
    """Base of all errors of this package."""

    retryable = False

    def fields(self) -> dict[str, Any]:
        """Its constructor arguments beside the text, as plain data that can cross to another process."""
        return {}


class InvalidName(ProfileError):
    """A tenant id or profile id that the contract does not allow. The blame is the caller's."""


class ProfileBusy(ProfileError):
    """Another process, or another runner of this one, holds the profile. Retryable once it is closed."""

    retryable = True

    def __init__(self, where: Path, holder: str) -> None:
        super().__init__(f"{where} is held by {holder}; try again when it is closed")
        self.holder = holder


class StaleFence(ProfileError):
    """A later lease has opened the profile already, so the job with this fence has lost its lease."""

    def __init__(self, where: Path | str, fence: int, seen: int) -> None:
        super().__init__(f"{where} was opened with fence {seen}; fence {fence} is older, so its lease is lost")
        self.fence = fence
        self.seen = seen


class ProfileTampered(ProfileError):
    """A runner left something in its folder that is not safe to process. The blame is the runner's.

    To fix it, open the profile without a uid and quarantine it.
    """


class ProfileTooLarge(ProfileError):
    """More files or bytes than a profile may have. The blame is the runner's.

    The profile is not changed. Raise `profiles.max_files` or `profiles.max_bytes`, or remove the profile.
    """

    def __init__(self, text: str, used: int, allowed: int, unit: Literal["files", "bytes"]) -> None:
        super().__init__(text)
        self.used = used
        self.allowed = allowed
        self.unit = unit

    def fields(self) -> dict[str, Any]:
        """The two amounts and their unit."""
        return {"used": self.used, "allowed": self.allowed, "unit": self.unit}


class ContentDamaged(ProfileError):
    """A database of the browser in the profile is damaged. A browser would drop it silently, with all logins in it.

    Quarantine the profile, or restore it from a backup.
    """


class FolderWorkerFailed(ProfileError):
    """The folder worker process ended without an answer: it was killed, or the host has no memory. Retryable."""

    retryable = True

    def __init__(self, text: str, signal: int | None = None) -> None:
        """`signal`: the one that ended it; None: none did."""
        super().__init__(text)
        self.signal = signal


class ProfileElsewhere(ProfileError):
    """The profile lives in the store of another host. It cannot be had here, and is never begun anew here."""

    retryable = True


class BrowserOlder(ProfileError):
    """A newer browser wrote the profile than the one that would open it. Retryable: another worker may have it."""

    retryable = True

    def __init__(self, text: str, browser: str, wrote: str) -> None:
        super().__init__(text)
        self.browser = browser
        self.wrote = wrote

    def fields(self) -> dict[str, Any]:
        """The two versions."""
        return {"browser": self.browser, "wrote": self.wrote}


class SnapshotStoreAway(ProfileError):
    """The object store does not answer, is too slow, or refuses this worker. Retryable."""

    retryable = True


class SnapshotTampered(ProfileError):
    """A snapshot is not what its worker published: changed, cut, swapped, or that of another profile."""


class SnapshotsUnusable(ProfileError):
    """The head names snapshots of the profile, and none of them can be used. The profile is never begun anew."""


class SnapshotKeyMissing(ProfileError):
    """This worker has no key for the snapshot, or one that cannot be used. The blame is the configuration's."""

    retryable = True


class HeadUnreadable(ProfileError):
    """The object that names a profile's snapshots has unexpected content. It is never overwritten."""


class ExportUnusable(ProfileError):
    """The file is no export of a profile, was changed or cut, or is that of another one. The blame is the caller's."""


class NoSuchState(ProfileError):
    """The profile has no snapshot, or no folder in quarantine, of this name. The blame is the caller's."""


class StoreFull(ProfileError):
    """No space or quota is left. The blame is the host's. Retryable."""

    retryable = True


class HostExhausted(ProfileError):
    """No descriptor, memory or thread is left. The blame is the host's. Retryable."""

    retryable = True


class StoreDenied(ProfileError):
    """No permission, or a read-only file system. The blame is the host's."""


class StoreDamaged(ProfileError):
    """A file of the store has unexpected content, or the disk fails. The blame is the host's."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS}


@contextmanager
def explained(act: str, where: Path) -> Iterator[None]:
    """Turn an OSError within the context into a ProfileError that says how to fix it."""
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
