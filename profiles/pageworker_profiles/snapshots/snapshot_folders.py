"""Profiles in an object store, for an event loop: the newest good snapshot becomes a local folder, and the folder
becomes a snapshot when its browser was closed normally.

The local folder stays: while it is the newest snapshot, the next opening here transfers nothing. What cannot be
published stays too, marked with its fence, and is published later, unless another worker has opened the profile since.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

import nacl
from msgspec.structs import replace

from pageworker_profiles.browser_version import BrowserVersion
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import (
    BrowserOlder,
    ContentDamaged,
    ProfileBusy,
    ProfileError,
    ProfileTampered,
    SnapshotsUnusable,
    SnapshotTampered,
    StaleFence,
)
from pageworker_profiles.folders import ProfileFolders
from pageworker_profiles.homes import ProfileHomes
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.snapshots.checkpoints import Checkpoints
from pageworker_profiles.snapshots.head import CheckpointRecord, ProfileHead, SnapshotRecord, snapshot_id
from pageworker_profiles.snapshots.keys import SnapshotKeys, bound_to
from pageworker_profiles.snapshots.local_copy import (
    CopyUse,
    LocalCopy,
    boot_id,
    next_use,
    read_copy,
)
from pageworker_profiles.snapshots.local_folders import LocalFolders
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots
from pageworker_profiles.snapshots.unpublished import UnpublishedProfiles

ASIDE_KEPT = 2
"""Folders of one profile that a snapshot has replaced. They hold what a killed browser wrote."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0

Step = Literal["fetch", "publish"]
T = TypeVar("T")


@dataclass(frozen=True)
class SnapshotEvents:
    """What others want to know, as calls. None of them may block or raise."""

    moved: Callable[[Step, float, int], None]
    """A container was fetched or published: seconds, bytes."""
    failed: Callable[[Step, str, str, ProfileError], None]
    """A transfer failed: tenant, profile."""
    refused: Callable[[str, str, str, str], None]
    """A snapshot must not be used: tenant, profile, snapshot, reason. The one before it is used."""
    damaged: Callable[[str, str, ProfileError], None]
    """A database of the browser is damaged, in the local folder or in a snapshot: tenant, profile."""
    set_aside: Callable[[str, str, str], None]
    """A local folder was replaced and kept: tenant, profile, reason."""
    waits_since: Callable[[float | None], None]
    """Unix time since when the oldest folder waits to be published; None: none waits."""


class SnapshotFolders:
    """See ProfileBackend. `folders`: the local ones, on the disk of this worker alone."""

    def __init__(
        self,
        folders: ProfileFolders,
        snapshots: ProfileSnapshots,
        keys: SnapshotKeys,
        homes: ProfileHomes,
        events: SnapshotEvents,
    ) -> None:
        self._folders = folders
        self._local = LocalFolders(folders)
        self._checkpoints = Checkpoints(snapshots, keys)
        self._snapshots = snapshots
        self._keys = keys
        self._homes = homes
        self._events = events
        self._boot = boot_id()
        self._unpublished = UnpublishedProfiles(events.waits_since)
        self._left: set[tuple[str, str]] = set()
        """Profiles whose local folder is not published yet."""
        self._some_left = asyncio.Event()

    async def open(
        self,
        tenant_id: str,
        profile_id: str,
        fence: int | None,
        uid: int | None,
        browser: BrowserVersion | None = None,
    ) -> ProfileLease:
        """See ProfileBackend."""
        if fence is None:
            raise ValueError("a profile in a snapshot store is opened under a fence")
        lease = await self._folders.hold(tenant_id, profile_id, fence, uid)
        try:
            try:
                await self._bring(lease, fence, browser)
            except ProfileError as error:
                self._events.failed("fetch", tenant_id, profile_id, error)
                raise
            try:
                await self._folders.prepare(lease, browser)
            except BrowserOlder:
                await self._mark_unused(lease)
                raise
        except BaseException:
            lease.close()
            raise
        return lease

    async def release(self, lease: ProfileLease, fence: int | None, *, clean: bool, browser_version: str) -> None:
        """See ProfileBackend. A folder that is not clean keeps its mark: the next opening sets it aside."""
        if not clean:
            return
        try:
            copy = await self._local.copy(lease)
            if copy is None or copy.state != "open" or copy.fence != fence:
                return
            await self._publish(lease, replace(copy, state="unpublished", browser_version=browser_version))
        except ProfileError as error:
            self._events.failed("publish", lease.tenant_id, lease.profile_id, error)

    async def keep_checkpoint(self, lease: ProfileLease, fence: int | None, checkpoint: ProfileCheckpoint) -> None:
        """See ProfileBackend."""
        if fence is not None:
            name = snapshot_id(fence, os.urandom(8))
            await self._checkpoints.store(lease.tenant_id, lease.profile_id, name, fence, checkpoint)

    async def measure(self, folder: Path) -> FolderSize:
        """See ProfileBackend."""
        return await self._folders.measure(folder)

    async def run(self, on_error: Callable[[ProfileError], None]) -> None:
        """See ProfileBackend. Publishes what was left, also by this worker's last life."""
        # Neither ends by itself, and an error of one ends the worker. A group of tasks would hide a cancellation
        # (python/cpython#133747).
        await asyncio.gather(self._folders.run(on_error), self._publish_left())

    # ---- opening ----

    async def _bring(self, lease: ProfileLease, fence: int, browser: BrowserVersion | None) -> None:
        """Make the local folder the newest good state of the profile, and mark it as open."""
        store = await self._snapshots.store_id()
        copy = await self._local.copy(lease)
        if copy is not None and copy.state == "unpublished" and copy.store == store:
            # Under the fence that it was written under. After the next step, this worker's own fence is higher.
            await self._publish_or_set_aside(lease, copy)
            copy = await self._local.copy(lease)
        has_data = await self._local.has_data(lease) if copy is None or copy.state == "open" else True
        head = await self._take(lease, store, fence, browser, begins_here=copy is None and has_data)
        newest = head.good[0].id if head is not None and head.good else ""
        use = next_use(
            copy,
            has_data=has_data,
            store=store,
            boot=self._boot,
            newest=newest,
            fence=None if head is None else head.fence,
        )
        began = newest
        if use is CopyUse.ADOPT:
            # Before its browser may be killed with it: so far this folder is all that there is of the profile. Before
            # it has a mark: if it is damaged, it stays where it is, and no opening begins an empty profile.
            await self._check(lease)
            began = await self._publish(lease, LocalCopy(state="unpublished", store=store, fence=fence))
        if use is CopyUse.SET_ASIDE and has_data:
            await self._set_aside(lease, "its browser was killed, or a snapshot is newer")
        if use in (CopyUse.FETCH, CopyUse.SET_ASIDE):
            began = await self._fetch(lease, head)
        if head is not None and head.checkpoint is not None:
            lease.checkpoint = await self._checkpoint(lease, head.checkpoint)
        await self._local.mark(
            lease, LocalCopy(state="open", store=store, fence=fence, snapshot=began, boot=self._boot)
        )
        self._forget(lease)

    async def _checkpoint(self, lease: ProfileLease, record: CheckpointRecord) -> ProfileCheckpoint | None:
        """What the last browser held before it was killed; None: it was changed since, and must not be used."""
        try:
            return await self._checkpoints.fetch(lease.tenant_id, lease.profile_id, record)
        except SnapshotTampered as tampered:
            self._events.failed("fetch", lease.tenant_id, lease.profile_id, tampered)
            self._events.refused(lease.tenant_id, lease.profile_id, record.id, str(tampered))
            await self._snapshots.drop_checkpoint(lease.tenant_id, lease.profile_id, record.id)
            return None

    async def _take(
        self, lease: ProfileLease, store: str, fence: int, browser: BrowserVersion | None, *, begins_here: bool
    ) -> ProfileHead | None:
        """Write the fence into the head. Returns the head as it was before; None: the profile is new in this store.

        `begins_here`: there is a local folder from before this worker had a snapshot store.
        """
        tenant_id, profile_id = lease.tenant_id, lease.profile_id
        taken = await self._snapshots.open(tenant_id, profile_id, fence, new=False, browser=browser)
        if taken is not None:
            await self._homes.keep(tenant_id, profile_id, store)
            return taken.before
        # First: a worker that must not open the profile must not end another one's lease by its fence.
        lives_in = await self._folders.store_id() if begins_here else store
        if await self._homes.claim(tenant_id, profile_id, lives_in):
            raise SnapshotsUnusable(
                f"{self._snapshots.label} held snapshots of the profile, and names none now: "
                "restore the store from a backup, or remove the profile to begin anew"
            )
        taken = await self._snapshots.open(tenant_id, profile_id, fence, new=True)
        return None if taken is None else taken.before

    async def _mark_unused(self, lease: ProfileLease) -> None:
        """No browser has had the folder since it was brought: it still is the snapshot that it began as."""
        copy = await self._local.copy(lease)
        if copy is not None and copy.snapshot:
            await self._local.mark(lease, replace(copy, state="published"))

    async def _fetch(self, lease: ProfileLease, head: ProfileHead | None) -> str:
        """Replace the local folder by the newest good snapshot, or by an empty one if there was never a snapshot."""
        for record in head.good if head is not None else ():
            try:
                await self._fetch_one(lease, record)
            except (SnapshotTampered, ContentDamaged) as unusable:
                self._events.failed("fetch", lease.tenant_id, lease.profile_id, unusable)
                self._events.refused(lease.tenant_id, lease.profile_id, record.id, str(unusable))
                await self._snapshots.mark_bad(lease.tenant_id, lease.profile_id, record.id, str(unusable))
                continue
            return record.id
        if head is not None and head.snapshots:
            raise SnapshotsUnusable(
                "no snapshot of the profile can be used: restore one, or remove the profile to begin anew"
            )
        await self._local.forget(lease)
        return ""

    async def _fetch_one(self, lease: ProfileLease, record: SnapshotRecord) -> None:
        began = time.monotonic()
        transfer = await self._local.transfer_folder(lease)
        file, unpacked = transfer / "incoming", transfer / "data"
        key = await self._keys.find(record.key_id)
        try:
            await self._snapshots.fetch(lease.tenant_id, lease.profile_id, record, file)
            message = _message(lease, record.id, key.key, file)
            await self._folders.call(lease, "unpack", unpacked, *self._folders.most, message=message)
        finally:
            await self._local.delete(file)
        await self._check(lease, unpacked)
        await self._local.replace(lease, unpacked)
        self._events.moved("fetch", time.monotonic() - began, record.bytes)

    # ---- publishing ----

    async def _publish(self, lease: ProfileLease, copy: LocalCopy) -> str:
        """Pack, encrypt, store and verify the local folder, and let the head name it. Returns the snapshot's id.

        Raises StaleFence, ContentDamaged. What fails is tried again later.
        """
        began = time.monotonic()
        await self._local.mark(lease, copy)
        self._remember(lease)
        self._unpublished.add(lease.tenant_id, lease.profile_id)
        await self._check(lease)
        tenant_id, profile_id = lease.tenant_id, lease.profile_id
        key = await self._keys.current()
        snapshot = snapshot_id(copy.fence, os.urandom(8))
        file = await self._local.transfer_folder(lease) / f"{snapshot}.outgoing"
        try:
            message = _message(lease, snapshot, key.key, file)
            packed = await self._folders.call(lease, "pack", lease.path, *self._folders.most, message=message)
            record = SnapshotRecord(
                id=snapshot,
                fence=copy.fence,
                bytes=packed["stored"],
                sha256=packed["sha256"],
                key_id=key.id,
                browser_version=copy.browser_version,
                published_at=time.time(),
            )
            done = await self._snapshots.publish(tenant_id, profile_id, record, file)
        finally:
            await self._local.delete(file)
        await self._local.mark(lease, replace(copy, state="published", snapshot=snapshot, boot=self._boot))
        self._forget(lease)
        if done.before is None or not done.before.snapshots:
            await self._homes.keep(tenant_id, profile_id, copy.store)
        self._events.moved("publish", time.monotonic() - began, record.bytes)
        await self._snapshots.sweep(tenant_id, profile_id)
        return snapshot

    async def _publish_or_set_aside(self, lease: ProfileLease, copy: LocalCopy) -> None:
        try:
            await self._publish(lease, copy)
        except (StaleFence, ProfileTampered, ContentDamaged) as refused:
            self._events.failed("publish", lease.tenant_id, lease.profile_id, refused)
            await self._set_aside(lease, f"it cannot be published: {refused}")
            await self._local.drop_mark(lease)
            self._forget(lease)

    async def _publish_left(self) -> NoReturn:
        for tenant_id, profile_id in await self._folders.profiles():
            self._left.add((tenant_id, profile_id))
        self._some_left.set()
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._some_left.wait()
            self._some_left.clear()
            for tenant_id, profile_id in sorted(self._left):
                await self._publish_one(tenant_id, profile_id)
            if not self._left:
                pause = FIRST_PAUSE_SECONDS
                continue
            # What is left waits for the store. A release that fails meanwhile does not shorten the pause.
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._some_left.set()

    async def _publish_one(self, tenant_id: str, profile_id: str) -> None:
        # Before anything is read: a release that fails meanwhile adds it again.
        self._left.discard((tenant_id, profile_id))
        try:
            # Without the lock: to take it for a moment would make an opening fail.
            copy = await self._folders.in_thread(lambda: read_copy(self._folders.folder(tenant_id, profile_id)))
            if copy is None or copy.state != "unpublished":
                self._unpublished.drop(tenant_id, profile_id)
                return
            with closing(await self._folders.hold(tenant_id, profile_id, None, None)) as lease:
                copy = await self._local.copy(lease)
                if copy is not None and copy.state == "unpublished":
                    await self._publish_or_set_aside(lease, copy)
        except ProfileBusy:
            # A runner has it: its end publishes it, or marks it again.
            self._left.add((tenant_id, profile_id))
        except ProfileError as error:
            self._events.failed("publish", tenant_id, profile_id, error)
            if error.retryable:
                self._left.add((tenant_id, profile_id))

    def _remember(self, lease: ProfileLease) -> None:
        self._left.add((lease.tenant_id, lease.profile_id))
        self._some_left.set()

    def _forget(self, lease: ProfileLease) -> None:
        self._left.discard((lease.tenant_id, lease.profile_id))
        self._unpublished.drop(lease.tenant_id, lease.profile_id)

    # ---- the local folder ----

    async def _check(self, lease: ProfileLease, folder: Path | None = None) -> None:
        """Raise ContentDamaged if a database in the folder (None: that of the lease) is damaged."""
        try:
            await self._folders.check(lease, folder)
        except ContentDamaged as damaged:
            self._events.damaged(lease.tenant_id, lease.profile_id, damaged)
            raise

    async def _set_aside(self, lease: ProfileLease, reason: str) -> None:
        await self._folders.set_aside(lease, reason, ASIDE_KEPT)
        self._events.set_aside(lease.tenant_id, lease.profile_id, reason)


def _message(lease: ProfileLease, snapshot: str, key: bytes, file: Path) -> dict[str, object]:
    bound = bound_to(lease.tenant_id, lease.profile_id, snapshot)
    return {"file": str(file), "key": key, "bound": bound, "packages": _packages()}


def _packages() -> str:
    """The folder with PyNaCl, for the folder worker: it has no site-packages of its own."""
    return str(Path(nacl.__file__).parents[1])
