"""The profile store: opens, lists, quarantines and removes profiles. For an event loop, use folders.py."""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from pageworker_profiles import checkpoint, fences, names, trees, walks
from pageworker_profiles.errors import ProfileBusy, explained
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.locks import Lock, holder
from pageworker_profiles.sizes import MOST, FolderSize

REPLACED = "-replaced"
"""End of the name of a folder with data that was replaced by a snapshot, so that the names sort by time."""


class ProfileStore:
    """All calls block on the disk for milliseconds. `open`, `remove` and `size_bytes` walk the whole profile.

    All calls raise ProfileError and no other error. A profile larger than `most` cannot be opened.
    """

    def __init__(self, root: Path, most: FolderSize = MOST, *, others_pass: bool | None = None) -> None:
        """`others_pass`: runners have other users, who can enter the folders above their own and cannot list them.
        None: if this user is root."""
        self.root = root
        self._mode = 0o711 if (os.geteuid() == 0 if others_pass is None else others_pass) else 0o700
        self._most = most
        self._scratch = root / ".scratch"
        self._trash = root / ".trash"
        with explained("creating", root):
            for folder in (root, self._trash):
                self._make(folder)

    def open(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """Lock a profile for one runner and prepare its folder for a browser.

        Raises ProfileBusy, StaleFence, ProfileTampered, ProfileTooLarge, StoreFull, StoreDenied.

        `fence` is the fencing token of the job's lease. One older than the highest so far is refused. None: no check.
        `uid` is the runner's user, who becomes the owner of the data folder. None: the owner stays.
        """
        lease = self.hold(tenant_id, profile_id, fence, uid)
        try:
            with explained("opening", lease.path):
                walks.prepare(lease.path, lease.folder_descriptor, self._most, *owner(uid))
        except BaseException:
            lease.close()
            raise
        return lease

    def hold(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """The first half of `open`: lock, fence, and a data folder that is not prepared yet."""
        folder = self.folder(tenant_id, profile_id)
        lock = self._lock(folder)
        try:
            with explained("opening", folder):
                if fence is not None:
                    fences.advance(folder, fence)
                data = folder / "data"
                with suppress(FileExistsError):
                    data.mkdir(mode=0o700)
                return ProfileLease(data, uid, lock, tenant_id, profile_id)
        except BaseException:
            lock.release()
            raise

    def quarantine(self, lease: ProfileLease, reason: str) -> Path:
        """Move a profile's data aside and start with an empty folder. The runner must have ended. Returns the path."""
        if not lease.open:
            raise ValueError("the lease is closed")
        aside = lease.path.parent / "aside" / _stamp()
        # First: the empty folder must not get back what the quarantined one held.
        checkpoint.remove(lease.path.parent)
        with explained("quarantining", lease.path):
            aside.mkdir(parents=True, mode=0o700)
            (aside / "reason.txt").write_text(reason + "\n", "utf-8")
            lease.path.rename(aside / "data")
            lease.path.mkdir(mode=0o700)
            lease.follow_path()
            walks.prepare(lease.path, lease.folder_descriptor, self._most, *owner(lease.uid))
        return aside

    def replace(self, lease: ProfileLease, new: Path, reason: str) -> Path | None:
        """Move a profile's data aside, and the folder `new` of the same file system to its place. No runner has it.

        Returns where the data is now; None: there was none. Owner and size are checked at the next opening.
        """
        if not lease.open:
            raise ValueError("the lease is closed")
        aside = None
        # First: the new data must not get what the old one held.
        checkpoint.remove(lease.path.parent)
        with explained("replacing", lease.path):
            try:
                lease.path.rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                aside = lease.path.parent / "aside" / _stamp()
                aside.mkdir(parents=True, mode=0o700)
                (aside / "reason.txt").write_text(reason + "\n", "utf-8")
                lease.path.rename(aside / "data")
            new.rename(lease.path)
            lease.follow_path()
        return aside

    def new_aside(self, lease: ProfileLease, reason: str) -> Path:
        """A folder for data that a newer state of the profile replaces. Its `data` is still to be moved into it."""
        if not lease.open:
            raise ValueError("the lease is closed")
        aside = lease.path.parent / "aside" / f"{_stamp()}{REPLACED}"
        with explained("quarantining", lease.path):
            aside.mkdir(parents=True, mode=0o700)
            (aside / "reason.txt").write_text(reason + "\n", "utf-8")
        return aside

    def trim_aside(self, lease: ProfileLease, keep: int) -> None:
        """Move all but the newest `keep` of such folders into the trash."""
        aside = lease.path.parent / "aside"
        with explained("removing", aside):
            for folder in sorted(path for path in aside.iterdir() if path.name.endswith(REPLACED))[:-keep]:
                self._discard(folder)

    def remove(self, tenant_id: str, profile_id: str) -> bool:
        """Remove a profile with its fence and quarantined data. False: there is no such profile. Raises ProfileBusy."""
        removed = self.set_aside(tenant_id, profile_id)
        self.empty_trash()
        return removed

    def set_aside(self, tenant_id: str, profile_id: str) -> bool:
        """The first half of `remove`: rename the profile into the trash, so that its path never holds half of it."""
        folder = self.folder(tenant_id, profile_id)
        if not folder.exists():
            return False
        lock = self._lock(folder)
        try:
            with explained("removing", folder):
                self._discard(folder)
        finally:
            lock.release()
        return True

    def list(self, tenant_id: str) -> tuple[str, ...]:
        """Ids of the tenant's profiles, sorted."""
        folder = self.root / names.tenant_name(tenant_id)
        with explained("listing", folder):
            found = [path.name for path in folder.iterdir()] if folder.exists() else []
        return tuple(sorted(known for name in found if (known := names.profile_id(name)) is not None))

    def tenants(self) -> tuple[str, ...]:
        """Ids of all tenants that have a folder, sorted."""
        with explained("listing", self.root):
            return tuple(sorted(path.name for path in self.root.iterdir() if not path.name.startswith(".")))

    def size_bytes(self, tenant_id: str, profile_id: str) -> int:
        """Bytes on disk, quarantined data included. 0 if there is no such profile."""
        folder = self.folder(tenant_id, profile_id)
        with explained("measuring", folder):
            return trees.measure(folder).bytes if folder.exists() else 0

    def holder(self, tenant_id: str, profile_id: str) -> str | None:
        """The holder of the profile, or None. It may have changed by the time the caller reads it."""
        folder = self.folder(tenant_id, profile_id)
        with explained("reading the lock of", folder):
            if not (folder / "lock").exists():
                return None
            signed = holder(folder / "lock")
            lock = Lock.take(folder / "lock", sign=False)
        if lock is None:
            return signed
        lock.release()
        return None

    def folder(self, tenant_id: str, profile_id: str) -> Path:
        """The folder of a profile, which may not exist. Raises InvalidName."""
        return self.root / names.tenant_name(tenant_id) / names.profile_name(profile_id)

    def _lock(self, folder: Path) -> Lock:
        with explained("locking", folder):
            while True:
                self._make(folder.parent)
                self._make(folder)
                try:
                    lock = Lock.take(folder / "lock")
                except FileNotFoundError:
                    continue  # another process removed it meanwhile
                if lock is None:
                    raise ProfileBusy(folder, holder(folder / "lock"))
                return lock

    def _make(self, folder: Path) -> None:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(self._mode)

    def _discard(self, folder: Path) -> None:
        folder.rename(self.new_trash())

    def new_trash(self) -> Path:
        """A path in the trash that nothing has yet."""
        return self._trash / f"{os.getpid()}-{os.urandom(8).hex()}"

    def trash(self) -> tuple[Path, ...]:
        """Folders that are still to be deleted, by this process or another one."""
        with explained("listing", self._trash):
            return tuple(self._trash.iterdir())

    def empty_trash(self) -> None:
        """Delete all folders in the trash."""
        for folder in self.trash():
            with explained("removing", folder):
                trees.remove(folder)

    def collect_abandoned(self) -> None:
        """Move scratch folders of earlier versions to the trash, if their process has ended (the lock is free)."""
        with explained("sweeping", self._scratch):
            if not self._scratch.exists():
                return
            guard = Lock.take(self._scratch / "lock", wait=True)
            try:
                for folder in self._scratch.iterdir():
                    if folder.name == "lock":
                        continue
                    lock = Lock.take(folder / "lock")
                    if lock is not None:
                        self._discard(folder)
                        lock.release()
            finally:
                if guard is not None:
                    guard.release()


def _stamp() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(3).hex()}"


def owner(uid: int | None) -> tuple[int, int]:
    """User and group of a runner's files; -1, -1: keep the owner. Another user has the group of the same number."""
    if uid is None:
        return -1, -1
    return uid, os.getegid() if uid == os.geteuid() else uid
