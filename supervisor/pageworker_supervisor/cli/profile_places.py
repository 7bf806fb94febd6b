"""Where `workerctl profile` finds profiles: in the data folder of this host, or in a snapshot store."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from pageworker_profiles import ProfileStore
from pageworker_profiles.errors import (
    InvalidName,
    ProfileBusy,
    ProfileError,
    SnapshotStoreAway,
    StaleFence,
    StoreDenied,
)
from pageworker_profiles.homes import STORE_ID, parse_store_id
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit, note
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_rows import (
    AsideRow,
    ProfileAnswer,
    ProfileRow,
    rfc3339,
    snapshot_row,
    stored_row,
)
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.profile_stores.open_store import open_snapshots
from pageworker_supervisor.queue.profile_locks import KnownProfile, ProfileHeld

READS_AT_ONCE = 8
MOST_REASON_BYTES = 4096


class ProfilePlace(Protocol):
    """The profiles of one store. All calls raise ProfileError."""

    label: str
    """Path or URL, without a password."""

    async def store_id(self) -> str | None:
        """As Redis records it; None: nothing was stored here yet."""

    async def names(self, tenant_id: str | None) -> list[ProfileName]:
        """All profiles, or those of one tenant, sorted."""

    async def rows(self, names: Sequence[ProfileName], known: Sequence[KnownProfile]) -> list[ProfileRow]:
        """What is known of them. Those that are gone meanwhile are left out."""

    async def show(self, name: ProfileName, known: KnownProfile) -> ProfileAnswer | None:
        """All of one; None: it is not here."""

    async def delete(self, name: ProfileName) -> bool:
        """Remove a profile with all that was kept of it. False: it is not here."""

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """Withdraw the newest state, and keep it. Returns its name; None: there is none. `fence`: of the Redis lock."""


class HostProfiles:
    """See ProfilePlace: the data folder of a worker. `delete` takes the kernel lock of the profile.

    It belongs to the user who runs the command. So no other user can have put a link into it.
    """

    def __init__(self, root: Path) -> None:
        self.label = str(root)
        self._root = root

    async def store_id(self) -> str | None:
        """See ProfilePlace."""
        try:
            data = await asyncio.to_thread((self._root / STORE_ID).read_bytes)
        except FileNotFoundError:
            return None
        return parse_store_id(data, str(self._root / STORE_ID))

    async def names(self, tenant_id: str | None) -> list[ProfileName]:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._names, tenant_id)

    async def rows(self, names: Sequence[ProfileName], known: Sequence[KnownProfile]) -> list[ProfileRow]:
        """See ProfilePlace."""
        found = []
        for name, record in zip(names, known, strict=True):
            row = await asyncio.to_thread(self._row, name, record)
            if row is not None:
                found.append(row)
        return found

    async def show(self, name: ProfileName, known: KnownProfile) -> ProfileAnswer | None:
        """See ProfilePlace."""
        row = await asyncio.to_thread(self._row, name, known)
        if row is None:
            return None
        return ProfileAnswer(
            profile=row,
            where=str(self._store().folder(*name)),
            store_id=known.store or None,
            store_host=known.host or None,
            aside=tuple(await asyncio.to_thread(_aside, self._store().folder(*name) / "aside")),
        )

    async def delete(self, name: ProfileName) -> bool:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._delete, name)

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._quarantine, name, reason)

    def _quarantine(self, name: ProfileName, reason: str) -> str | None:
        if not self._root.exists() or not self._store().folder(*name).exists():
            return None
        store = self._store()
        with store.hold(*name, None, None) as lease:
            return store.quarantine(lease, reason).name

    def _store(self) -> ProfileStore:
        return ProfileStore(self._root)

    def _names(self, tenant_id: str | None) -> list[ProfileName]:
        if not self._root.exists():
            return []
        found = []
        store = self._store()
        for tenant in store.tenants() if tenant_id is None else (tenant_id,):
            # A folder of another program, such as `lost+found`.
            with suppress(InvalidName):
                found += [ProfileName(tenant, profile) for profile in store.list(tenant)]
        return found

    def _row(self, name: ProfileName, known: KnownProfile) -> ProfileRow | None:
        if not self._root.exists():
            return None
        folder = self._store().folder(*name)
        try:
            used = (folder / "lock").lstat().st_mtime
        except FileNotFoundError:
            if not folder.exists():
                return None
            used = folder.lstat().st_mtime
        size = None
        # A runner's user may keep its folder to itself, and a browser may be writing.
        with suppress(ProfileError):
            size = self._store().size_bytes(*name)
        return ProfileRow(
            tenant_id=name.tenant_id,
            profile_id=name.profile_id,
            place="host",
            bytes=size,
            used_at=rfc3339(used),
            browser_version=None,
            state="open" if known.worker else "closed",
            locked_by=known.worker or None,
        )

    def _delete(self, name: ProfileName) -> bool:
        if not self._root.exists():
            return False
        store = self._store()
        removed = store.set_aside(*name)
        try:
            store.empty_trash()
        except ProfileError as error:
            # Files of a runner's user. The worker can delete them.
            note(printable(f"The worker deletes the files at its next start: {error}"))
        return removed


class StoredProfiles:
    """See ProfilePlace: a snapshot store."""

    def __init__(self, snapshots: ProfileSnapshots) -> None:
        self.label = snapshots.label
        self.snapshots = snapshots

    async def store_id(self) -> str | None:
        """See ProfilePlace."""
        return await self.snapshots.store_id()

    async def names(self, tenant_id: str | None) -> list[ProfileName]:
        """See ProfilePlace."""
        tenants = await self.snapshots.tenants() if tenant_id is None else [tenant_id]
        found = []
        for tenant in tenants:
            # A folder of another program in the same bucket.
            with suppress(InvalidName):
                found += [ProfileName(tenant, profile) for profile in await self.snapshots.profiles(tenant)]
        return found

    async def rows(self, names: Sequence[ProfileName], known: Sequence[KnownProfile]) -> list[ProfileRow]:
        """See ProfilePlace."""
        found = []
        for first in range(0, len(names), READS_AT_ONCE):
            some = names[first : first + READS_AT_ONCE]
            heads = await asyncio.gather(*(self.snapshots.head(*name) for name in some))
            for name, head, record in zip(some, heads, known[first : first + READS_AT_ONCE], strict=True):
                if head is not None:
                    found.append(stored_row(*name, head, record.worker))
        return found

    async def show(self, name: ProfileName, known: KnownProfile) -> ProfileAnswer | None:
        """See ProfilePlace."""
        head = await self.snapshots.head(*name)
        if head is None:
            return None
        return ProfileAnswer(
            profile=stored_row(*name, head, known.worker),
            where=self.label,
            store_id=known.store or None,
            store_host=known.host or None,
            snapshots=tuple(map(snapshot_row, head.snapshots)),
        )

    async def delete(self, name: ProfileName) -> bool:
        """See ProfilePlace."""
        return await self.snapshots.remove(*name)

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        withdrawn = await self.snapshots.quarantine(*name, reason, fence)
        return None if withdrawn is None else withdrawn.id


def place_of(settings: Settings) -> HostProfiles | StoredProfiles:
    """The place that the settings name. Raises CommandError if the folder belongs to another user."""
    snapshots = open_snapshots(settings.profiles, f"workerctl:{user_at_host()}")
    if snapshots is not None:
        return StoredProfiles(snapshots)
    root = data_dir_of(settings) / "profiles"
    with suppress(FileNotFoundError):
        if root.lstat().st_uid != os.geteuid():
            raise CommandError(
                f"{root} belongs to another user",
                "Run the command as the user of the worker.",
                CommandExit.REFUSED,
            )
    return HostProfiles(root)


@contextmanager
def profile_errors() -> Iterator[None]:
    """Turn errors of profiles into CommandErrors."""
    try:
        yield
    except ProfileHeld as held:
        raise CommandError(
            printable(held),
            "Wait until it is closed, or drain that worker. `workerctl profile show` names the holder.",
            CommandExit.REFUSED,
        ) from held
    except (ProfileBusy, StaleFence) as busy:
        raise CommandError(printable(busy), "Wait until it is closed.", CommandExit.REFUSED) from busy
    except StoreDenied as denied:
        raise CommandError(
            printable(denied), "Run the command as the user of the worker.", CommandExit.REFUSED
        ) from denied
    except SnapshotStoreAway as away:
        raise CommandError(
            printable(away), "Check the store, its credentials and the network.", CommandExit.UNREACHABLE
        ) from away
    except ProfileError as error:
        raise CommandError(printable(error)) from error


def _aside(folder: Path) -> list[AsideRow]:
    found: list[AsideRow] = []
    if not folder.is_dir():
        return found
    for each in sorted(folder.iterdir()):
        try:
            with (each / "reason.txt").open("rb") as file:
                reason = file.read(MOST_REASON_BYTES).decode("utf-8", "replace").strip()
        except OSError:
            reason = "not known"
        found.append(AsideRow(name=each.name, reason=reason))
    return found
