"""What `workerctl profile` prints of profiles. Pure."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pageworker_profiles.snapshots.head import ProfileHead, SnapshotRecord
from pageworker_supervisor.cli.login_rows import LoginAnswer, LoginWord, login_text
from pageworker_supervisor.cli.output import table
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.utc_time import utc_text

Place = Literal["host", "store"]
"""`host`: the data folder of this host. `store`: the snapshot store."""
Change = Literal["deleted", "restored", "quarantined", "unlocked", "reset", "exported", "imported"]


class ProfileRow(Struct, frozen=True, kw_only=True):
    """One profile. `bytes`: on disk, or of all its snapshots; null: they cannot be measured. `used_at`: RFC 3339, when
    it was opened (host) or stored (store) last. `browser_version`: that wrote its newest snapshot. `locked_by`: the
    worker that has it open."""

    tenant_id: str
    profile_id: str
    place: Place
    bytes: int | None
    used_at: str | None
    browser_version: str | None
    state: Literal["open", "closed"]
    locked_by: str | None
    login: LoginWord = "unknown"
    """What modules have reported last."""


class SnapshotRow(Struct, frozen=True, kw_only=True):
    """A snapshot. The next opening takes the first one in the list that is not bad. `at`: RFC 3339. `bad`: why it must
    not be used; null: it may."""

    id: str
    at: str
    bytes: int
    browser_version: str | None
    bad: str | None


class AsideRow(Struct, frozen=True, kw_only=True):
    """Data that was quarantined or replaced, in `aside/` of the profile's folder."""

    name: str
    reason: str


class CheckpointRow(Struct, frozen=True, kw_only=True):
    """Cookies and storage that the next browser gets. `at`: RFC 3339, when they were taken. `bytes`: as stored."""

    at: str
    bytes: int


class ProfileAnswer(Struct, frozen=True, kw_only=True):
    """Of `profile show`. `where`: path or URL. `store_id`: the store that Redis has on record for the profile, and
    `store_host` the host that opened it there last; null: none is recorded."""

    profile: ProfileRow
    where: str
    store_id: str | None
    store_host: str | None
    snapshots: tuple[SnapshotRow, ...] = ()
    aside: tuple[AsideRow, ...] = ()
    checkpoint: CheckpointRow | None = None
    """null: there is none. The last browser was closed normally, or before its first checkpoint."""
    login: LoginAnswer | None = None
    """null: it was not asked for."""


class ProfileChange(Struct, frozen=True, kw_only=True):
    """Of the commands that change a profile: what became of it. `snapshot`: that was changed, or that an import or a
    reset made; of a host, the folder in quarantine; null: none was. `file`: of the export."""

    tenant_id: str
    profile_id: str
    change: Change
    snapshot: str | None = None
    file: str | None = None


def rfc3339(seconds: float) -> str:
    """The time of Unix seconds."""
    return utc_text(seconds, "%Y-%m-%dT%H:%M:%SZ")


def stored_row(tenant_id: str, profile_id: str, head: ProfileHead, worker: str) -> ProfileRow:
    """A profile in a snapshot store. `worker`: that has it open; "": none."""
    newest = head.snapshots[0] if head.snapshots else None
    return ProfileRow(
        tenant_id=tenant_id,
        profile_id=profile_id,
        place="store",
        bytes=sum(record.bytes for record in head.snapshots),
        used_at=None if newest is None else rfc3339(newest.published_at),
        browser_version=None if newest is None else newest.browser_version or None,
        state="open" if worker else "closed",
        locked_by=worker or None,
    )


def snapshot_row(record: SnapshotRecord) -> SnapshotRow:
    """As a person and a script see it."""
    return SnapshotRow(
        id=record.id,
        at=rfc3339(record.published_at),
        bytes=record.bytes,
        browser_version=record.browser_version or None,
        bad=record.bad or None,
    )


def checkpoint_row(taken_at: float, stored_bytes: int) -> CheckpointRow:
    """As a person and a script see it. `taken_at`: Unix seconds."""
    return CheckpointRow(at=rfc3339(taken_at), bytes=stored_bytes)


def list_text(rows: Sequence[ProfileRow]) -> str:
    """One line per profile."""
    heads = ("TENANT", "PROFILE", "PLACE", "BYTES", "LAST USED", "BROWSER", "STATE", "LOGIN", "LOCKED BY")
    return table(heads, map(_values, rows))


def details_text(answer: ProfileAnswer) -> str:
    """A profile with its snapshots, or with what is aside."""
    lives_in = answer.store_id or "-"
    lines = [
        list_text((answer.profile,)),
        printable(f"Stored in {answer.where}. On record in Redis: {lives_in}, host {answer.store_host or '-'}."),
    ]
    if answer.login is not None:
        lines.append(login_text(answer.login))
    if answer.checkpoint is not None:
        lines.append(f"Checkpoint: of {answer.checkpoint.at}, {answer.checkpoint.bytes} bytes.")
    if answer.snapshots:
        rows = [
            (each.id, each.at, each.bytes, each.browser_version or "-", each.bad or "-") for each in answer.snapshots
        ]
        lines.append(table(("SNAPSHOT", "AT", "BYTES", "BROWSER", "BAD"), rows))
    if answer.aside:
        lines.append(table(("ASIDE", "REASON"), [(each.name, each.reason) for each in answer.aside]))
    return "\n".join(lines)


def _values(row: ProfileRow) -> tuple[object, ...]:
    return (
        *(row.tenant_id, row.profile_id, row.place, "-" if row.bytes is None else row.bytes, row.used_at or "-"),
        *(row.browser_version or "-", row.state, row.login, row.locked_by or "-"),
    )
