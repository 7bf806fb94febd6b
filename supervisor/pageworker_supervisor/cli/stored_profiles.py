"""The profiles in a snapshot store, for `workerctl profile`."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pageworker_profiles.browser_version import BrowserVersion, last_version, parse_version
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import InvalidName, NoSuchState
from pageworker_profiles.exports import OpenedExport, ProfileExport, TarWriter, write_export
from pageworker_profiles.sizes import MOST, FolderSize
from pageworker_profiles.snapshots import archive, transfers
from pageworker_profiles.snapshots.checkpoints import Checkpoints
from pageworker_profiles.snapshots.cipher import OpeningReader
from pageworker_profiles.snapshots.head import SnapshotRecord, snapshot_id
from pageworker_profiles.snapshots.keys import SnapshotKey, SnapshotKeys, bound_to
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots
from pageworker_profiles.trees import opened_folder
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_rows import ProfileAnswer, ProfileRow, checkpoint_row, snapshot_row, stored_row
from pageworker_supervisor.cli.without_log import without_log
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.profile_stores.fleet_keys import FleetKeys
from pageworker_supervisor.queue.profile_locks import KnownProfile

READS_AT_ONCE = 8
COPY_BYTES = 1024 * 1024


class StoredProfiles:
    """See ProfilePlace: a snapshot store."""

    def __init__(self, snapshots: ProfileSnapshots, keys: SnapshotKeys, most: FolderSize = MOST) -> None:
        """`most`: size of an import."""
        self.label = snapshots.label
        self.snapshots = snapshots
        self._keys = keys
        self._most = most

    async def store_id(self) -> str | None:
        """See ProfilePlace."""
        return await self.snapshots.store_id()

    async def own_store_id(self) -> str:
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
        kept = head.checkpoint
        return ProfileAnswer(
            profile=stored_row(*name, head, known.worker),
            where=self.label,
            store_id=known.store or None,
            store_host=known.host or None,
            snapshots=tuple(map(snapshot_row, head.snapshots)),
            checkpoint=None if kept is None else checkpoint_row(kept.taken_at, kept.bytes),
        )

    async def delete(self, name: ProfileName) -> bool:
        """See ProfilePlace."""
        return await self.snapshots.remove(*name)

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace."""
        withdrawn = await self.snapshots.quarantine(*name, reason, fence)
        return None if withdrawn is None else withdrawn.id

    async def reset(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """See ProfilePlace. An empty snapshot becomes the newest. All others become bad."""
        if await self.snapshots.head(*name) is None:
            return None
        with TemporaryDirectory() as work:
            empty = Path(work) / "data"
            empty.mkdir()
            return await self._publish(name, empty, "", fence, withdraw=reason)

    async def restore(self, name: ProfileName, state: str, reason: str, fence: int) -> bool:
        """See ProfilePlace. It may be marked bad."""
        return await self.snapshots.restore(*name, state, fence)

    async def export(self, name: ProfileName, file: Path, state: str | None) -> ProfileExport | None:
        """See ProfilePlace."""
        head = await self.snapshots.head(*name)
        if head is None:
            return None
        wanted = head.good if state is None else tuple(one for one in head.snapshots if one.id == state)
        if not wanted:
            raise NoSuchState(
                "the profile has no good snapshot" if state is None else f"the profile has no snapshot {state}"
            )
        record = wanted[0]
        key = await self._keys.find(record.key_id)
        version = parse_version(record.browser_version)
        facts = ProfileExport(
            tenant_id=name.tenant_id,
            profile_id=name.profile_id,
            browser_version="" if version is None else str(version),
            exported_at=time.time(),
        )
        with TemporaryDirectory() as work:
            container = Path(work) / "container"
            await self.snapshots.fetch(*name, record, container)

            def fill(tar: TarWriter) -> None:
                with container.open("rb") as sealed:
                    opening = OpeningReader(sealed, key.key, bound_to(*name, record.id))
                    while data := opening.read(COPY_BYTES):
                        tar.write(data)
                    opening.finish()

            return await asyncio.to_thread(write_export, file, facts, fill)

    async def import_(self, name: ProfileName, source: OpenedExport, reason: str, fence: int) -> str | None:
        """See ProfilePlace. The import becomes the newest snapshot, and the older ones stay good."""
        with TemporaryDirectory() as work:
            folder = Path(work) / "data"
            folder.mkdir(mode=0o700)

            def unpack() -> BrowserVersion | None:
                with opened_folder(folder) as top:
                    archive.unpack(source.file, top, self._most)
                    return last_version(top) or parse_version(source.head.browser_version)

            version = await asyncio.to_thread(unpack)
            return await self._publish(name, folder, "" if version is None else str(version), fence)

    async def checkpoint(self, name: ProfileName) -> ProfileCheckpoint | None:
        """See ProfilePlace."""
        head = await self.snapshots.head(*name)
        if head is None or head.checkpoint is None:
            return None
        return await Checkpoints(self.snapshots, self._keys).fetch(*name, head.checkpoint)

    async def keep_checkpoint(self, name: ProfileName, checkpoint: ProfileCheckpoint, fence: int) -> None:
        """See ProfilePlace."""
        # First: without a key, the head stays as it is.
        await self._keys.current()
        await self.snapshots.take(*name, fence)
        checkpoint_id = snapshot_id(fence, os.urandom(8))
        await Checkpoints(self.snapshots, self._keys).store(*name, checkpoint_id, fence, checkpoint)

    async def _publish(self, name: ProfileName, folder: Path, version: str, fence: int, withdraw: str = "") -> str:
        """Make a folder the newest snapshot. Returns its id."""
        key = await self._keys.current()
        snapshot = snapshot_id(fence, os.urandom(8))
        with TemporaryDirectory() as work:
            container = Path(work) / "container"
            message = {"file": str(container), "key": key.key, "bound": bound_to(*name, snapshot)}
            packed = await asyncio.to_thread(transfers.pack, folder, message, self._most)
            record = SnapshotRecord(
                id=snapshot,
                fence=fence,
                bytes=packed["stored"],
                sha256=packed["sha256"],
                key_id=key.id,
                browser_version=version,
                published_at=time.time(),
            )
            await self.snapshots.take(*name, fence)
            await self.snapshots.publish(*name, record, container, withdraw)
        return snapshot


class CommandKeys:
    """See SnapshotKeys: the keys that the secret backend gives to the user of this command."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def current(self) -> SnapshotKey:
        """See SnapshotKeys."""
        with without_log("pageworker_supervisor.secrets"):
            return await self._keys().current()

    async def find(self, key_id: str) -> SnapshotKey:
        """See SnapshotKeys."""
        with without_log("pageworker_supervisor.secrets"):
            return await self._keys().find(key_id)

    def _keys(self) -> FleetKeys:
        # Backends take long to import, and only a few commands need a key.
        from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
        from pageworker_supervisor.secrets.masker import SecretMasker
        from pageworker_supervisor.secrets.open_backend import open_backend
        from pageworker_supervisor.secrets.store import SecretStore
        from pageworker_supervisor.telemetry.metrics import Metrics

        store = SecretStore(open_backend(self._settings.secrets, os.environ))
        profiles = self._settings.profiles
        # `store` needs `key_secret`: the settings are valid.
        return FleetKeys(
            FleetSecrets(store, SecretMasker(), Metrics()), profiles.key_secret or "", profiles.key_secrets_before
        )
