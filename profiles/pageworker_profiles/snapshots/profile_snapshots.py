"""The heads and containers of all profiles in one object store. It moves containers and never looks into them.

A head changes by compare-and-swap alone. A writer whose condition fails reads the head again, and applies its change to
what it finds. So a lease that was lost meanwhile meets the higher fence and gets StaleFence.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pageworker_profiles import names
from pageworker_profiles.browser_version import BrowserVersion, parse_version, refuse_older
from pageworker_profiles.errors import SnapshotStoreAway, SnapshotTampered, StaleFence
from pageworker_profiles.homes import ID_BYTES, parse_store_id
from pageworker_profiles.snapshots import head as heads
from pageworker_profiles.snapshots.head import (
    MAX_HEAD_BYTES,
    CheckpointRecord,
    FenceTooOld,
    ProfileHead,
    ProfileHolder,
    SnapshotRecord,
    head_bytes,
    parse_head,
)
from pageworker_profiles.snapshots.objects import ObjectChanged, ObjectMissing, SnapshotObjects

STORE_ID = "store-id"
HEAD = "head.json"
SUFFIX = ".snapshot"
CHECKPOINT_SUFFIX = ".checkpoint"
TRIES = 8
"""Of a change to a head that others change at the same time."""
READS = 2
"""Of a container that is not what the head says, before it counts as changed: bytes may change on their way too."""
UNNAMED_SECONDS = 24 * 3600.0
"""Age from which a container that no head names is deleted. A publication takes minutes at most."""


@dataclass(frozen=True)
class SnapshotOptions:
    """`keep`: good snapshots per profile, and as many bad ones. `seconds`: longest time of one transfer."""

    worker: str
    host: str
    keep: int = 3
    seconds: float = 60.0


class HeadChange(NamedTuple):
    """A head before and after a change. `before` None: there was none."""

    before: ProfileHead | None
    after: ProfileHead


class _NothingToChange(Exception):
    """The head is not one that the change is for."""


class ProfileSnapshots:
    """One store. All calls raise SnapshotStoreAway, HeadUnreadable and InvalidName."""

    def __init__(
        self, objects: SnapshotObjects, options: SnapshotOptions, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: unix seconds."""
        self.options = options
        self.label = objects.label
        self._objects = objects
        self._clock = clock
        self._store_id: str | None = None

    async def store_id(self) -> str:
        """The random name of the store. Written by the first worker that uses it."""
        if self._store_id is None:
            async with self._timely():
                for _ in range(TRIES):
                    found = await self._objects.read(STORE_ID, 1024)
                    if found is not None:
                        self._store_id = parse_store_id(found.data, f"{STORE_ID} in {self.label}")
                        return self._store_id
                    try:
                        await self._objects.write(STORE_ID, os.urandom(ID_BYTES).hex().encode(), None)
                    except ObjectChanged:
                        continue
                raise SnapshotStoreAway(f"{self.label}: {STORE_ID} can neither be read nor written")
        return self._store_id

    async def head(self, tenant_id: str, profile_id: str) -> ProfileHead | None:
        """The profile's head; None: the profile has never been in the store."""
        async with self._timely():
            return (await self._read(_folder(tenant_id, profile_id)))[0]

    async def open(
        self, tenant_id: str, profile_id: str, fence: int, *, new: bool, browser: BrowserVersion | None = None
    ) -> HeadChange | None:
        """Write the fence of a lease into the head, so that no older lease can publish any more. Raises StaleFence.

        `new`: whether the profile may be one without a snapshot so far. None: it is, and it must not be.
        `browser`: the version that will use the profile; None: it is not compared. Raises BrowserOlder too, and
        changes nothing then.
        """
        holder = ProfileHolder(worker=self.options.worker, host=self.options.host, since=self._clock())

        def change(head: ProfileHead | None) -> ProfileHead:
            if not new and (head is None or not head.snapshots):
                raise _NothingToChange
            after = heads.opened(head, fence, holder)
            for newest in after.good[:1]:
                refuse_older(browser, parse_version(newest.browser_version))
            return after

        with suppress(_NothingToChange):
            return await self._change(tenant_id, profile_id, change)
        return None

    async def fetch(self, tenant_id: str, profile_id: str, record: SnapshotRecord, file: Path) -> None:
        """Read a container into a new file. Raises SnapshotTampered if it is not what the head says, or is missing."""
        name = f"{_folder(tenant_id, profile_id)}/{record.id}{SUFFIX}"
        async with self._timely():
            await self._verified(name, file, record)

    async def take(self, tenant_id: str, profile_id: str, fence: int) -> None:
        """Write the fence of a command into the head, which may be a new one. Raises StaleFence."""
        await self._change(tenant_id, profile_id, lambda head: heads.taken(head, fence))

    async def publish(
        self, tenant_id: str, profile_id: str, record: SnapshotRecord, file: Path, withdraw: str = ""
    ) -> HeadChange:
        """Store a container, read it back, and let the head name it. Raises StaleFence, SnapshotTampered.

        A crash before the last step leaves a container that no head names: see `sweep`. `withdraw`: why all older
        snapshots become bad; "": they stay as they are.
        """
        folder = _folder(tenant_id, profile_id)

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None:
                # It was removed while it was open. A publication would bring it back.
                raise FenceTooOld(record.fence, record.fence + 1)
            return heads.published(head, record, self.options.keep, withdraw)

        async with self._timely():
            # Before the transfer: a worker that has lost its lease sends nothing.
            head, _ = await self._read(folder)
            with _explained(f"{self.label}/{folder}"):
                change(head)
            name = f"{folder}/{record.id}{SUFFIX}"
            await self._objects.upload(name, file)
            await self._verified(name, None, record)
            done = await self._change(tenant_id, profile_id, change)
        if done.before is not None:
            await self._delete(folder, heads.dropped(done.before, done.after))
            await self._delete_checkpoint(folder, done.before, done.after)
        return done

    async def store_checkpoint(self, tenant_id: str, profile_id: str, record: CheckpointRecord, data: bytes) -> None:
        """Store a checkpoint, let the head name it, and delete the one before. Raises StaleFence."""
        folder = _folder(tenant_id, profile_id)

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None:
                raise FenceTooOld(record.fence, record.fence + 1)
            return heads.checkpointed(head, record)

        async with self._timely():
            # Before the transfer: a worker that has lost its lease sends nothing.
            head, _ = await self._read(folder)
            with _explained(f"{self.label}/{folder}"):
                change(head)
            await self._objects.write(_checkpoint_name(folder, record), data, None)
            done = await self._change(tenant_id, profile_id, change)
        if done.before is not None:
            await self._delete_checkpoint(folder, done.before, done.after)

    async def fetch_checkpoint(self, tenant_id: str, profile_id: str, record: CheckpointRecord) -> bytes:
        """The bytes of the checkpoint that the head names. Raises SnapshotTampered."""
        name = _checkpoint_name(_folder(tenant_id, profile_id), record)
        async with self._timely():
            found = await self._objects.read(name, record.bytes)
        if found is None or hashlib.sha256(found.data).hexdigest() != record.sha256:
            raise SnapshotTampered(f"{name} in {self.label} is missing, or has other bytes than were stored")
        return found.data

    async def drop_checkpoint(self, tenant_id: str, profile_id: str, checkpoint_id: str) -> None:
        """The head names this checkpoint no more."""

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None or head.checkpoint is None or head.checkpoint.id != checkpoint_id:
                raise _NothingToChange
            return heads.without_checkpoint(head)

        with suppress(_NothingToChange):
            await self._change(tenant_id, profile_id, change)

    async def mark_bad(self, tenant_id: str, profile_id: str, snapshot: str, reason: str) -> ProfileHead | None:
        """A snapshot is not used any more, and stays in the store. None: there is no head."""

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None:
                raise _NothingToChange
            return heads.marked_bad(head, snapshot, reason)

        with suppress(_NothingToChange):
            return (await self._change(tenant_id, profile_id, change)).after
        return None

    async def roll_back(self, tenant_id: str, profile_id: str, reason: str) -> SnapshotRecord | None:
        """Mark the newest good snapshot bad: the next opening takes the one before. Returns it; None: there is none."""
        head = await self.head(tenant_id, profile_id)
        if head is None or not head.good:
            return None
        await self.mark_bad(tenant_id, profile_id, head.good[0].id, reason)
        if head.checkpoint is not None:
            await self.drop_checkpoint(tenant_id, profile_id, head.checkpoint.id)
        return head.good[0]

    async def quarantine(self, tenant_id: str, profile_id: str, reason: str, fence: int) -> SnapshotRecord | None:
        """As `roll_back`, under the fence of the caller's lock: no older lease can publish. Raises StaleFence."""

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None or not head.good:
                raise _NothingToChange
            return heads.marked_bad(heads.taken(head, fence), head.good[0].id, reason)

        with suppress(_NothingToChange):
            done = await self._change(tenant_id, profile_id, change)
            return done.before.good[0] if done.before is not None and done.before.good else None
        return None

    async def restore(self, tenant_id: str, profile_id: str, snapshot: str, fence: int | None = None) -> bool:
        """The next opening takes this snapshot, even if it was marked bad. False: the head does not name it.

        `fence`: of the caller's lock, so that no older lease publishes any more. Raises StaleFence.
        """

        def change(head: ProfileHead | None) -> ProfileHead:
            if head is None or all(record.id != snapshot for record in head.snapshots):
                raise _NothingToChange
            return heads.marked_good(head if fence is None else heads.taken(head, fence), snapshot)

        with suppress(_NothingToChange):
            await self._change(tenant_id, profile_id, change)
            return True
        return False

    async def remove(self, tenant_id: str, profile_id: str) -> bool:
        """Delete the profile from the store, its head first. False: it was not there. No worker may have it open."""
        folder = _folder(tenant_id, profile_id)
        async with self._timely():
            found = await self._objects.listing(folder)
            await self._objects.delete([f"{folder}/{HEAD}"])
            await self._objects.delete([info.name for info in found if info.name != f"{folder}/{HEAD}"])
        return bool(found)

    async def sweep(self, tenant_id: str, profile_id: str) -> int:
        """Delete old containers that the head does not name. Returns how many. The profile is open here."""
        folder = _folder(tenant_id, profile_id)
        async with self._timely():
            found = await self._objects.listing(folder)
            head, _ = await self._read(folder)
        kept = {f"{folder}/{HEAD}"} | {
            f"{folder}/{one.id}{SUFFIX}" for one in (head.snapshots if head is not None else ())
        }
        if head is not None and head.checkpoint is not None:
            kept.add(_checkpoint_name(folder, head.checkpoint))
        before = self._clock() - UNNAMED_SECONDS
        old = [info.name for info in found if info.name not in kept and info.changed_at < before]
        async with self._timely():
            await self._objects.delete(old)
        return len(old)

    async def profiles(self, tenant_id: str) -> list[str]:
        """Ids of the tenant's profiles in the store, sorted."""
        async with self._timely():
            found = await self._objects.folders(names.tenant_name(tenant_id))
        return sorted(known for name in found if (known := names.profile_id(name)) is not None)

    async def tenants(self) -> list[str]:
        """Ids of all tenants in the store, sorted."""
        async with self._timely():
            return sorted(await self._objects.folders(""))

    async def _verified(self, name: str, file: Path | None, record: SnapshotRecord) -> None:
        for left in reversed(range(READS)):
            try:
                found = await self._objects.download(name, file, record.bytes)
            except ObjectMissing as missing:
                raise SnapshotTampered(f"{name} in {self.label} is missing, and the head names it") from missing
            if (found.bytes, found.sha256) == (record.bytes, record.sha256):
                return
            if file is not None:
                await asyncio.to_thread(file.unlink, missing_ok=True)
            if not left:
                raise SnapshotTampered(f"{name} in {self.label} has other bytes than were published")

    async def _delete(self, folder: str, ids: tuple[str, ...]) -> None:
        async with self._timely():
            await self._objects.delete([f"{folder}/{one}{SUFFIX}" for one in ids])

    async def _delete_checkpoint(self, folder: str, before: ProfileHead, after: ProfileHead) -> None:
        if before.checkpoint is not None and before.checkpoint != after.checkpoint:
            async with self._timely():
                await self._objects.delete([_checkpoint_name(folder, before.checkpoint)])

    async def _read(self, folder: str) -> tuple[ProfileHead | None, str | None]:
        found = await self._objects.read(f"{folder}/{HEAD}", MAX_HEAD_BYTES)
        if found is None:
            return None, None
        return parse_head(found.data, f"{folder}/{HEAD} in {self.label}"), found.version

    async def _change(
        self, tenant_id: str, profile_id: str, change: Callable[[ProfileHead | None], ProfileHead]
    ) -> HeadChange:
        """Change the head by compare-and-swap. Raises StaleFence, and what `change` raises."""
        folder = _folder(tenant_id, profile_id)
        async with self._timely():
            for _ in range(TRIES):
                before, version = await self._read(folder)
                with _explained(f"{self.label}/{folder}"):
                    after = change(before)
                if after == before:
                    return HeadChange(before, after)
                try:
                    await self._objects.write(f"{folder}/{HEAD}", head_bytes(after), version)
                except ObjectChanged:
                    continue
                return HeadChange(before, after)
        raise SnapshotStoreAway(f"{folder}/{HEAD} in {self.label} changes all the time")

    @asynccontextmanager
    async def _timely(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.options.seconds):
                yield
        except TimeoutError as error:
            raise SnapshotStoreAway(f"{self.label} did not answer within {self.options.seconds:g} s") from error


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn FenceTooOld into the error of this package."""
    try:
        yield
    except FenceTooOld as error:
        raise StaleFence(where, error.fence, error.seen) from error


def _folder(tenant_id: str, profile_id: str) -> str:
    return f"{names.tenant_name(tenant_id)}/{names.profile_name(profile_id)}"


def _checkpoint_name(folder: str, record: CheckpointRecord) -> str:
    return f"{folder}/{record.id}{CHECKPOINT_SUFFIX}"
