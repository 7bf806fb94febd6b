"""The head of a profile in an object store: its fence, who has it open, and its snapshots. Pure.

Each change is a function from the head to the next one. It may be applied again to its own result: a writer that does
not know whether its write arrived reads the head and applies the change once more.
"""

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pageworker_profiles.errors import HeadUnreadable

SCHEMA = 1
MAX_HEAD_BYTES = 256 * 1024
MAX_REASON_CHARS = 300
_ID = re.compile(r"[0-9]{20}-[0-9a-f]{16}")


class SnapshotRecord(Struct, frozen=True, kw_only=True):
    """One snapshot, as the head names it."""

    id: str
    fence: int
    """Under which it was published."""
    bytes: int
    """Of its container."""
    sha256: str
    """Of its container, hex."""
    key_id: str
    """Of the key that encrypts it."""
    browser_version: str = ""
    """Of the browser that wrote it; "": not known."""
    published_at: float
    """Unix seconds."""
    clean: bool = True
    """Whether its browser was closed normally."""
    bad: str = ""
    """Why it must not be used; "": it is good."""


class CheckpointRecord(Struct, frozen=True, kw_only=True):
    """The checkpoint of a profile that is open, or whose browser was killed."""

    id: str
    fence: int
    """Under which it was stored."""
    bytes: int
    """Of its object."""
    sha256: str
    """Of its object, hex."""
    key_id: str
    taken_at: float
    """Unix seconds."""


class ProfileHolder(Struct, frozen=True, kw_only=True):
    """Who has the profile open."""

    worker: str
    host: str
    since: float
    """Unix seconds."""


class ProfileHead(Struct, frozen=True, kw_only=True):
    """The whole state of a profile in the store."""

    schema: int = SCHEMA
    fence: int
    """The highest fencing token that opened the profile."""
    holder: ProfileHolder | None = None
    """Who opened it under `fence`. None: it was closed normally."""
    snapshots: tuple[SnapshotRecord, ...] = ()
    """The newest first."""
    checkpoint: CheckpointRecord | None = None
    """Newer than every snapshot. None: the last browser ended normally, or before its first checkpoint."""

    @property
    def good(self) -> tuple[SnapshotRecord, ...]:
        """Those that may be used, the newest first."""
        return tuple(record for record in self.snapshots if not record.bad)


class FenceTooOld(Exception):
    """A later lease has opened the profile: this change must not be written."""

    def __init__(self, fence: int, seen: int) -> None:
        super().__init__(f"fence {fence}, and fence {seen} has opened the profile")
        self.fence = fence
        self.seen = seen


def parse_head(untrusted_data: bytes, where: str) -> ProfileHead:
    """The head that an object holds. Raises HeadUnreadable."""
    try:
        schema = msgspec.json.decode(untrusted_data, type=_OnlySchema).schema
        if schema != SCHEMA:
            raise HeadUnreadable(f"{where} has schema {schema}, this version reads {SCHEMA}: update this worker")
        head = msgspec.json.decode(untrusted_data, type=ProfileHead)
    except msgspec.DecodeError as error:
        raise HeadUnreadable(f"{where} is no profile head ({error}): restore it from a backup of the store") from error
    named = [record.id for record in head.snapshots] + ([head.checkpoint.id] if head.checkpoint is not None else [])
    if wrong := next((name for name in named if not _ID.fullmatch(name)), None):
        raise HeadUnreadable(f"{where} names a snapshot {wrong[:80]!r}: restore it from a backup of the store")
    return head


def head_bytes(head: ProfileHead) -> bytes:
    """The head as JSON, for the object."""
    return msgspec.json.format(msgspec.json.encode(head), indent=1)


def snapshot_id(fence: int, random: bytes) -> str:
    """A new snapshot's id. It sorts by fence. `random`: 8 bytes."""
    return f"{fence:020d}-{random.hex()}"


def opened(head: ProfileHead | None, fence: int, holder: ProfileHolder) -> ProfileHead:
    """A lease with this fence opens the profile. Raises FenceTooOld."""
    if head is None:
        return ProfileHead(fence=fence, holder=holder)
    _refuse_older(head, fence)
    return replace(head, fence=fence, holder=holder)


def taken(head: ProfileHead | None, fence: int) -> ProfileHead:
    """A command with this fence changes the head. No older lease can publish any more. Raises FenceTooOld.

    What the last browser held must not come back on top of the snapshot that the command chooses.
    """
    if head is None:
        return ProfileHead(fence=fence)
    _refuse_older(head, fence)
    return replace(head, fence=fence, holder=None, checkpoint=None)


def closed(head: ProfileHead, fence: int) -> ProfileHead:
    """The lease with this fence ends without a snapshot. Raises FenceTooOld."""
    _refuse_older(head, fence)
    return replace(head, holder=None)


def published(head: ProfileHead, record: SnapshotRecord, keep: int, withdraw: str = "") -> ProfileHead:
    """A snapshot is stored and verified. `keep`: how many good and how many bad ones stay. Raises FenceTooOld.

    `withdraw`: why all older ones become bad; "": they stay as they are.
    """
    _refuse_older(head, record.fence)
    if any(known.id == record.id for known in head.snapshots):
        return head
    for older in head.good if withdraw else ():
        head = marked_bad(head, older.id, withdraw)
    return replace(
        head,
        fence=max(head.fence, record.fence),
        holder=None,
        snapshots=_kept((record, *head.snapshots), keep),
        checkpoint=None,
    )


def checkpointed(head: ProfileHead, record: CheckpointRecord) -> ProfileHead:
    """A checkpoint is stored, and replaces the one before. Raises FenceTooOld."""
    _refuse_older(head, record.fence)
    return replace(head, checkpoint=record)


def without_checkpoint(head: ProfileHead) -> ProfileHead:
    """The checkpoint must not be used: it was changed in the store, or a person has chosen another state."""
    return replace(head, checkpoint=None)


def marked_bad(head: ProfileHead, snapshot: str, reason: str) -> ProfileHead:
    """A snapshot must not be used any more. It stays in the store."""
    reason = reason[:MAX_REASON_CHARS] or "no reason given"
    return replace(
        head,
        snapshots=tuple(
            replace(record, bad=record.bad or reason) if record.id == snapshot else record for record in head.snapshots
        ),
    )


def marked_good(head: ProfileHead, snapshot: str) -> ProfileHead:
    """A snapshot may be used again, and counts as the newest from now on."""
    chosen = tuple(replace(record, bad="") for record in head.snapshots if record.id == snapshot)
    others = (record for record in head.snapshots if record.id != snapshot)
    return replace(head, snapshots=(*chosen, *others), checkpoint=None)


def dropped(before: ProfileHead, after: ProfileHead) -> tuple[str, ...]:
    """Ids that `before` names and `after` does not."""
    kept = {record.id for record in after.snapshots}
    return tuple(record.id for record in before.snapshots if record.id not in kept)


def _refuse_older(head: ProfileHead, fence: int) -> None:
    if fence < head.fence:
        raise FenceTooOld(fence, head.fence)


def _kept(snapshots: Iterable[SnapshotRecord], keep: int) -> tuple[SnapshotRecord, ...]:
    left = {False: keep, True: keep}
    kept = []
    for record in snapshots:
        if left[bool(record.bad)] > 0:
            left[bool(record.bad)] -= 1
            kept.append(record)
    return tuple(kept)


class _OnlySchema(Struct):
    schema: int
