"""The profiles in the data folder of this host, for `workerctl profile`."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pageworker_profiles import ProfileStore, homes, trees
from pageworker_profiles import checkpoint as checkpoint_file
from pageworker_profiles.browser_version import last_version
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import InvalidName, NoSuchState, ProfileError, explained
from pageworker_profiles.exports import OpenedExport, ProfileExport, TarWriter, write_export
from pageworker_profiles.homes import STORE_ID, parse_store_id
from pageworker_profiles.sizes import MOST, FolderSize
from pageworker_profiles.snapshots import archive
from pageworker_profiles.trees import opened_folder
from pageworker_supervisor.cli.output import note
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_rows import AsideRow, ProfileAnswer, ProfileRow, checkpoint_row, rfc3339
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.profile_locks import KnownProfile

INCOMING = "incoming"
"""Folder of an import beside the data, until it takes its place."""
MOST_REASON_BYTES = 4096


class HostProfiles:
    """See ProfilePlace: the data folder of a worker. `delete` takes the kernel lock of the profile.

    It belongs to the user who runs the command. So no other user can have put a link into it.
    """

    def __init__(self, root: Path, most: FolderSize = MOST) -> None:
        """`most`: size of an export or import."""
        self.label = str(root)
        self._root = root
        self._most = most

    async def store_id(self) -> str | None:
        """See ProfilePlace."""
        try:
            data = await asyncio.to_thread((self._root / STORE_ID).read_bytes)
        except FileNotFoundError:
            return None
        return parse_store_id(data, str(self._root / STORE_ID))

    async def own_store_id(self) -> str:
        """See ProfilePlace."""

        def read() -> str:
            with explained("reading the id of", self._store().root):
                return homes.store_id(self._root)

        return await asyncio.to_thread(read)

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
        folder = self._store().folder(*name)
        kept = await asyncio.to_thread(checkpoint_file.facts, folder)
        return ProfileAnswer(
            profile=row,
            where=str(folder),
            store_id=known.store or None,
            store_host=known.host or None,
            aside=tuple(await asyncio.to_thread(_aside, folder / "aside")),
            checkpoint=None if kept is None else checkpoint_row(kept.taken_at, kept.bytes),
        )

    async def delete(self, name: ProfileName) -> bool:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._delete, name)

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._quarantine, name, reason)

    async def reset(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._quarantine, name, reason)

    async def restore(self, name: ProfileName, state: str, reason: str, fence: int) -> bool:
        """See ProfilePlace. What it replaces is in quarantine then."""
        return await asyncio.to_thread(self._restore, name, state, reason)

    async def export(self, name: ProfileName, file: Path, state: str | None) -> ProfileExport | None:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._export, name, file, state)

    async def import_(self, name: ProfileName, source: OpenedExport, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        return await asyncio.to_thread(self._import, name, source, reason)

    async def checkpoint(self, name: ProfileName) -> ProfileCheckpoint | None:
        """See ProfilePlace. Without the lock: a worker replaces the file in one step."""
        if not self._is_here(name):
            return None
        return await asyncio.to_thread(checkpoint_file.read, self._store().folder(*name))

    async def keep_checkpoint(self, name: ProfileName, checkpoint: ProfileCheckpoint, fence: int) -> None:
        """See ProfilePlace."""

        def keep() -> None:
            with self._store().hold(*name, None, None) as lease:
                checkpoint_file.write(lease.path.parent, checkpoint)

        await asyncio.to_thread(keep)

    def _is_here(self, name: ProfileName) -> bool:
        return self._root.exists() and self._store().folder(*name).exists()

    def _quarantine(self, name: ProfileName, reason: str) -> str | None:
        if not self._is_here(name):
            return None
        store = self._store()
        with store.hold(*name, None, None) as lease:
            return store.quarantine(lease, reason).name

    def _restore(self, name: ProfileName, state: str, reason: str) -> bool:
        if not self._is_here(name):
            return False
        store = self._store()
        with store.hold(*name, None, None) as lease:
            try:
                data = _aside_data(lease.path.parent, state)
            except NoSuchState:
                return False
            store.replace(lease, data, reason)
            with explained("removing", data.parent):
                trees.remove(data.parent)
            return True

    def _export(self, name: ProfileName, file: Path, state: str | None) -> ProfileExport | None:
        if not self._is_here(name):
            return None
        with self._store().hold(*name, None, None) as lease, ExitStack() as stack:
            folder = lease.path if state is None else _aside_data(lease.path.parent, state)
            with explained("opening", folder):
                top = stack.enter_context(opened_folder(folder))
                version = last_version(top)
            head = ProfileExport(
                tenant_id=name.tenant_id,
                profile_id=name.profile_id,
                browser_version="" if version is None else str(version),
                exported_at=time.time(),
            )

            def fill(tar: TarWriter) -> None:
                with explained(f"exporting {folder} to", file):
                    archive.pack(top, tar, self._most)  # type: ignore[arg-type]  # tarfile calls `write` alone

            return write_export(file, head, fill)

    def _import(self, name: ProfileName, source: OpenedExport, reason: str) -> str | None:
        store = self._store()
        with store.hold(*name, None, None) as lease:
            incoming = lease.path.parent / INCOMING
            with explained("importing into", lease.path.parent):
                trees.remove(incoming)
                incoming.mkdir(mode=0o700)
                try:
                    with opened_folder(incoming) as top:
                        archive.unpack(source.file, top, self._most)
                    aside = store.replace(lease, incoming, reason)
                finally:
                    trees.remove(incoming)
            return None if aside is None else aside.name

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


def _aside_data(folder: Path, state: str) -> Path:
    """The data in quarantine of this name. Raises NoSuchState."""
    if all(row.name != state for row in _aside(folder / "aside")):
        raise NoSuchState(f"nothing in quarantine of the profile has the name {state}")
    return folder / "aside" / state / "data"
