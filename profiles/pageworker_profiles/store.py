"""The store: opens, lists, quarantines and removes profiles; lends scratch folders."""

import os
import time
from contextlib import suppress
from pathlib import Path

from pageworker_profiles import fences, names, trees
from pageworker_profiles.errors import ProfileBusy, ProfileTampered, explained
from pageworker_profiles.lease import Lease, ProfileLease
from pageworker_profiles.locks import Lock, holder

SINGLETONS = ("SingletonLock", "SingletonCookie", "SingletonSocket")
"""Chromium's own lock: a link that names host and pid. Of a dead browser it keeps the next one from starting."""


class ProfileStore:
    """All calls block on the disk for milliseconds, on the first opening by another uid for longer.

    They raise ProfileError, and nothing else.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch = root / ".scratch"
        self._trash = root / ".trash"
        with explained("making", root):
            for folder in (root, self._scratch, self._trash):
                _make(folder)
        self._sweep()

    def open(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """Hold a profile for one runner. Raises ProfileBusy, StaleFence, ProfileTampered, StoreFull, StoreDenied.

        `fence` is the job lease's token: an older one than any seen is refused; None asks for no check.
        `uid` is the runner's user, who will own the data folder; None leaves it to whoever has it.
        """
        folder = self._folder(tenant_id, profile_id)
        lock = self._lock(folder)
        try:
            with explained("opening", folder):
                if fence is not None:
                    fences.advance(folder, fence)
                data = folder / "data"
                _prepare(data, uid)
        except BaseException:
            lock.release()
            raise
        return ProfileLease(data, uid, lock, tenant_id, profile_id)

    def scratch(self, runner_id: str, uid: int | None) -> Lease:
        """A new, empty folder that is removed when the lease is closed. Raises ProfileBusy."""
        folder = self._scratch / names.runner_name(runner_id)
        with explained("making", folder):
            # Under the sweeper's lock: between its making and its locking a folder looks abandoned.
            guard = Lock.take(self._scratch / "lock", wait=True)
            try:
                _make(folder)
                lock = Lock.take(folder / "lock")
                if lock is None:
                    raise ProfileBusy(folder, holder(folder / "lock"))
            finally:
                if guard is not None:
                    guard.release()
            try:
                if (folder / "data").exists():
                    self._discard(folder / "data")
                _prepare(folder / "data", uid)
            except BaseException:
                lock.release()
                raise
        return Lease(folder / "data", uid, lock, on_close=lambda: self._discard(folder))

    def quarantine(self, lease: ProfileLease, reason: str) -> Path:
        """Move a profile's data aside and start afresh; its runner must be dead. Returns where it is now."""
        if not lease.open:
            raise ValueError("the lease is closed")
        aside = lease.path.parent / "aside" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(3).hex()}"
        with explained("quarantining", lease.path):
            aside.mkdir(parents=True, mode=0o700)
            (aside / "reason.txt").write_text(reason + "\n", "utf-8")
            lease.path.rename(aside / "data")
            _prepare(lease.path, lease.uid)
        return aside

    def remove(self, tenant_id: str, profile_id: str) -> bool:
        """Remove a profile, its fence and what was quarantined of it. False: there is none. Raises ProfileBusy."""
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
            return trees.size_bytes(folder) if folder.exists() else 0

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
        """Rename away at once, then delete: whoever comes meanwhile finds nothing, never half of it."""
        gone = self._trash / f"{os.getpid()}-{os.urandom(8).hex()}"
        folder.rename(gone)
        trees.remove(gone)

    def _sweep(self) -> None:
        """Remove what dead processes left: scratch folders whose lock is free, and trash."""
        with explained("sweeping", self._scratch):
            guard = Lock.take(self._scratch / "lock", wait=True)
            try:
                for folder in self._scratch.iterdir():
                    if folder.name == "lock":
                        continue
                    lock = Lock.take(folder / "lock")
                    if lock is not None:
                        self._discard(folder)
                        lock.release()
                for folder in self._trash.iterdir():
                    trees.remove(folder)
            finally:
                if guard is not None:
                    guard.release()


def _make(folder: Path) -> None:
    """A folder that its runners can pass through and not list; where we are no other user, not even that."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _prepare(data: Path, uid: int | None) -> None:
    """Make the folder fit for a browser under `uid`. Its lock is held, so no living browser is in it."""
    with suppress(FileExistsError):
        data.mkdir(mode=0o700)
    if uid is not None:
        # As root we make up a user for each runner, with a group of the same number; else there is only us.
        trees.reown(data, uid, uid if os.geteuid() == 0 else os.getegid())
    for name in SINGLETONS:
        try:
            (data / name).unlink(missing_ok=True)
        except IsADirectoryError as error:
            raise ProfileTampered(f"{data / name} is a folder") from error
