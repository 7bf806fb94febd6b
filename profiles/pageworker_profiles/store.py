"""The store: opens, lists, quarantines and removes profiles. For an event loop see folders.py."""

import os
import time
from contextlib import suppress
from pathlib import Path

from pageworker_profiles import fences, names, trees, walks
from pageworker_profiles.errors import ProfileBusy, explained
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.locks import Lock, holder
from pageworker_profiles.sizes import MOST, FolderSize


class ProfileStore:
    """All calls block on the disk for milliseconds; `open`, `remove` and `size_bytes` walk the whole profile.

    They raise ProfileError, and nothing else. A profile that is opened may be as large as `most`.
    """

    def __init__(self, root: Path, most: FolderSize = MOST) -> None:
        self.root = root
        self._most = most
        self._scratch = root / ".scratch"
        self._trash = root / ".trash"
        with explained("making", root):
            for folder in (root, self._trash):
                _make(folder)

    def open(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """Hold a profile for one runner, its folder fit for a browser.

        Raises ProfileBusy, StaleFence, ProfileTampered, ProfileTooLarge, StoreFull, StoreDenied.

        `fence` is the job lease's token: an older one than any seen is refused; None asks for no check.
        `uid` is the runner's user, who will own the data folder; None leaves it to whoever has it.
        """
        lease = self.hold(tenant_id, profile_id, fence, uid)
        try:
            with explained("opening", lease.path):
                walks.prepare(lease.path, self._most, *owner(uid))
        except BaseException:
            lease.close()
            raise
        return lease

    def hold(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """The first half of `open`: the lock, the fence, and a data folder that is still to be made fit."""
        folder = self._folder(tenant_id, profile_id)
        lock = self._lock(folder)
        try:
            with explained("opening", folder):
                if fence is not None:
                    fences.advance(folder, fence)
                data = folder / "data"
                with suppress(FileExistsError):
                    data.mkdir(mode=0o700)
        except BaseException:
            lock.release()
            raise
        return ProfileLease(data, uid, lock, tenant_id, profile_id)

    def quarantine(self, lease: ProfileLease, reason: str) -> Path:
        """Move a profile's data aside and start afresh; its runner must be dead. Returns where it is now."""
        if not lease.open:
            raise ValueError("the lease is closed")
        aside = lease.path.parent / "aside" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(3).hex()}"
        with explained("quarantining", lease.path):
            aside.mkdir(parents=True, mode=0o700)
            (aside / "reason.txt").write_text(reason + "\n", "utf-8")
            lease.path.rename(aside / "data")
            lease.path.mkdir(mode=0o700)
            walks.prepare(lease.path, self._most, *owner(lease.uid))
        return aside

    def remove(self, tenant_id: str, profile_id: str) -> bool:
        """Remove a profile, its fence and what was quarantined of it. False: there is none. Raises ProfileBusy."""
        removed = self.set_aside(tenant_id, profile_id)
        self.empty_trash()
        return removed

    def set_aside(self, tenant_id: str, profile_id: str) -> bool:
        """The first half of `remove`: rename it into the trash. Whoever comes finds nothing, never half of it."""
        folder = self._folder(tenant_id, profile_id)
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
        """Space on disk, quarantined data included; 0 where there is no such profile."""
        folder = self._folder(tenant_id, profile_id)
        with explained("measuring", folder):
            return trees.measure(folder).bytes if folder.exists() else 0

    def holder(self, tenant_id: str, profile_id: str) -> str | None:
        """Who holds the profile now, or None. Only a report: it may have changed when you read it."""
        folder = self._folder(tenant_id, profile_id)
        with explained("looking at", folder):
            if not (folder / "lock").exists():
                return None
            signed = holder(folder / "lock")
            lock = Lock.take(folder / "lock", sign=False)
        if lock is None:
            return signed
        lock.release()
        return None

    def _folder(self, tenant_id: str, profile_id: str) -> Path:
        return self.root / names.tenant_name(tenant_id) / names.profile_name(profile_id)

    def _lock(self, folder: Path) -> Lock:
        with explained("locking", folder):
            while True:
                _make(folder.parent)
                _make(folder)
                try:
                    lock = Lock.take(folder / "lock")
                except FileNotFoundError:
                    continue  # removed by another in between
                if lock is None:
                    raise ProfileBusy(folder, holder(folder / "lock"))
                return lock

    def _discard(self, folder: Path) -> None:
        folder.rename(self._trash / f"{os.getpid()}-{os.urandom(8).hex()}")

    def trash(self) -> tuple[Path, ...]:
        """What is still to be deleted, here or by another process."""
        with explained("listing", self._trash):
            return tuple(self._trash.iterdir())

    def empty_trash(self) -> None:
        """Delete it."""
        for folder in self.trash():
            with explained("removing", folder):
                trees.remove(folder)

    def collect_abandoned(self) -> None:
        """Set aside what dead processes of earlier versions left: scratch folders whose lock is free."""
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


def _make(folder: Path) -> None:
    """A folder that its runners can pass through and not list; where we are no other user, not even that."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def owner(uid: int | None) -> tuple[int, int]:
    """User and group of a runner's files, -1 for none of its own. As root each user has a group of the same number."""
    if uid is None:
        return -1, -1
    return uid, uid if os.geteuid() == 0 else os.getegid()
