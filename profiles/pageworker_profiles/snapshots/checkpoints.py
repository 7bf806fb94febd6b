"""Checkpoints in an object store: each is one encrypted object, named by the profile's head. For the daemon.

They are small, so they are encrypted in memory. The bytes are opened only after their authentication.
"""

import asyncio
import hashlib
import io

from pageworker_profiles.checkpoint import MAX_BYTES, ProfileCheckpoint
from pageworker_profiles.errors import SnapshotTampered
from pageworker_profiles.snapshots.cipher import OpeningReader, SealingWriter
from pageworker_profiles.snapshots.head import CheckpointRecord
from pageworker_profiles.snapshots.keys import SnapshotKey, SnapshotKeys, bound_to
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots


class Checkpoints:
    """Those of one store. All calls raise ProfileError."""

    def __init__(self, snapshots: ProfileSnapshots, keys: SnapshotKeys) -> None:
        self._snapshots = snapshots
        self._keys = keys

    async def store(
        self, tenant_id: str, profile_id: str, checkpoint_id: str, fence: int, checkpoint: ProfileCheckpoint
    ) -> None:
        """Store one and let the head name it, in place of the one before. Raises StaleFence."""
        key = await self._keys.current()
        bound = _bound(tenant_id, profile_id, checkpoint_id)
        sealed = await asyncio.to_thread(_seal, checkpoint.untrusted_data, key, bound)
        record = CheckpointRecord(
            id=checkpoint_id,
            fence=fence,
            bytes=len(sealed),
            sha256=hashlib.sha256(sealed).hexdigest(),
            key_id=key.id,
            taken_at=checkpoint.taken_at,
        )
        await self._snapshots.store_checkpoint(tenant_id, profile_id, record, sealed)

    async def fetch(self, tenant_id: str, profile_id: str, record: CheckpointRecord) -> ProfileCheckpoint:
        """The one that the head names. Raises SnapshotTampered."""
        key = await self._keys.find(record.key_id)
        sealed = await self._snapshots.fetch_checkpoint(tenant_id, profile_id, record)
        data = await asyncio.to_thread(_open, sealed, key, _bound(tenant_id, profile_id, record.id))
        return ProfileCheckpoint(data, record.taken_at)


def _bound(tenant_id: str, profile_id: str, checkpoint_id: str) -> bytes:
    # A snapshot's id has no dot: neither can stand in the place of the other.
    return bound_to(tenant_id, profile_id, f"{checkpoint_id}.checkpoint")


def _seal(data: bytes, key: SnapshotKey, bound: bytes) -> bytes:
    file = io.BytesIO()
    writer = SealingWriter(file, key.key, bound)
    writer.write(data)
    writer.close()
    return file.getvalue()


def _open(sealed: bytes, key: SnapshotKey, bound: bytes) -> bytes:
    reader = OpeningReader(io.BytesIO(sealed), key.key, bound)
    data = reader.read(MAX_BYTES)
    try:
        reader.finish()
    except SnapshotTampered as tampered:
        raise SnapshotTampered(f"the checkpoint: {tampered}") from tampered
    return data
