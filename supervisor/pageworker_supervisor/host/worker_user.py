"""Which user a worker that is started as root becomes. Pure, but for the account, which is given."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.rights import ROOT
from pageworker_supervisor.host.uid_ranges import OWN_NAME, IdRange

SHOWN_PATHS = 3


class Account(Struct, frozen=True):
    """A user of this host, with its own group."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Its supplementary groups."""


class WorkerUser(Struct, frozen=True):
    """The user that the worker becomes, and the ids that are left for its sandboxes."""

    uid: int
    gid: int
    ids: IdRange
    source: Literal["setting", "account", "range"]
    groups: tuple[int, ...] = ()


def worker_user(wanted: str | None, account: Account | None, ids: IdRange) -> WorkerUser:
    """The user of the setting `worker.user`, else the account `pageworker`, else the first id of the range.

    `account`: that of `wanted`, or of `pageworker`; None: this host has none. Raises HostRefused.
    """
    if account is None:
        if wanted is not None:
            raise HostRefused(f"worker.user is {wanted}, and this host has no such account", f"useradd -r {wanted}")
        return WorkerUser(ids.first, ids.first, IdRange(ids.first + 1, ids.count - 1), "range")
    if account.uid == ROOT:
        return WorkerUser(ROOT, ROOT, ids, "setting")
    return WorkerUser(account.uid, account.gid, ids, "account" if wanted is None else "setting", account.groups)


def account_name(wanted: str | None) -> str:
    """The account to look for."""
    return wanted or OWN_NAME


def as_far_as_it_reaches(user: WorkerUser, closed: Sequence[Path]) -> tuple[WorkerUser, str]:
    """The user, and why it is root although another one was chosen ("" if it is not).

    `closed`: what the worker has to read, and the user cannot. A user of the setting is refused then. Otherwise the
    worker keeps the user id of root, whose files it reads, and none of root's capabilities. Raises HostRefused.
    """
    if not closed:
        return user, ""
    shown = ", ".join(map(str, closed[:SHOWN_PATHS])) + (", …" if len(closed) > SHOWN_PATHS else "")
    if user.source == "setting":
        raise HostRefused(
            f"the user {user.uid} of worker.user cannot read {shown}", "give it access to them and to the folders above"
        )
    return WorkerUser(ROOT, ROOT, user.ids, user.source), f"user {user.uid} cannot read {shown}"
