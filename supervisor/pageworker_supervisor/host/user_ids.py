"""Chooses the user ids of this daemon's runners, and reserves them as long as the daemon runs."""

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.host.capabilities import own_rights
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_lock import LOCK_FILE, UidLock
from pageworker_supervisor.host.uid_ranges import (
    AREAS,
    OWN_NAME,
    IdRange,
    UidClaim,
    account_claims,
    candidates,
    conflict,
    is_mapped,
    mapped_ids,
    own_ranges,
    subordinate_claims,
)
from pageworker_supervisor.telemetry import log

SUBORDINATE_FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
ACCOUNT_FILES = (Path("/etc/passwd"), Path("/etc/group"))
MAP_FILES = (Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))
REMOVE_SETTING = "remove sandbox.first_uid, so that pageworker finds a free range, or set it to a free one"


class HostIds:
    """The user ids that are taken or mapped on this host, read once."""

    def __init__(self) -> None:
        self.claims = [
            *(claim for file in SUBORDINATE_FILES for claim in subordinate_claims(_text(file), str(file))),
            *(claim for file in ACCOUNT_FILES for claim in account_claims(_text(file), str(file))),
        ]
        self._reserved = (*AREAS, *own_ranges(_text(SUBORDINATE_FILES[0])))
        self._maps = [mapped_ids(_text(file)) for file in MAP_FILES]

    def are_ours(self, ids: IdRange) -> bool:
        """Whether these are ids that pageworker takes by itself, or that `/etc/subuid` reserves for it."""
        return any(area.contains(ids) for area in self._reserved)

    def obstacle(self, ids: IdRange) -> tuple[str, str] | None:
        """Why runners cannot have these ids, and how to fix it. None: they can have them."""
        if not is_mapped(ids, *self._maps):
            return f"user ids {ids} do not exist in this user namespace ({MAP_FILES[0]})", REMOVE_SETTING
        claim = conflict(ids, self.claims) or _known_account(ids)
        if claim is not None:
            return f"user ids {ids} overlap {claim.ids}, {claim.owner}", REMOVE_SETTING
        return None


@contextmanager
def reserved(settings: SandboxSettings, data_dir: Path, lock_file: Path = LOCK_FILE) -> Iterator[IdRange | None]:
    """The user ids for the gateway and the runners of this daemon, reserved for the block.

    None if the daemon is not root: then its processes run under its own user (but see own_users.py). Raises
    HostRefused if the configured ids have another owner, or no ids are free.
    """
    if not own_rights().is_root:
        yield None
        return
    with opened_lock(lock_file) as lock:
        yield choose(settings, HostIds(), seed_of(data_dir), lock)


@contextmanager
def opened_lock(file: Path = LOCK_FILE) -> Iterator[UidLock | None]:
    """The lock for the block. None if this user cannot open it, with a line in the log. Raises HostRefused."""
    lock = _open(file)
    try:
        yield lock
    finally:
        if lock is not None:
            lock.close()


def choose(
    settings: SandboxSettings, host: HostIds, seed: str, lock: UidLock | None, used: Sequence[IdRange] = ()
) -> IdRange:
    """The configured range, or the first free one, reserved with `lock`. Raises HostRefused.

    `used`: ranges that are tried first.
    """
    if settings.first_uid is not None:
        ids = IdRange(settings.first_uid, settings.uids)
        if obstacle := host.obstacle(ids):
            raise HostRefused(*obstacle)
        if lock is not None and (other := lock.take(ids)):
            raise HostRefused(
                f"user ids {ids} overlap {other}, which another pageworker on this host uses", REMOVE_SETTING
            )
        return ids
    again = (ids for ids in used if ids.count == settings.uids)
    for ids in chain(again, candidates(seed, settings.uids)):
        if host.obstacle(ids) is None and (lock is None or lock.take(ids) is None):
            return ids
    raise HostRefused(
        f"no {settings.uids} user ids are free for runners",
        "set sandbox.first_uid to the first of a range that is free here, or sandbox.uids to less",
    )


def seed_of(data_dir: Path) -> str:
    """What distinguishes this daemon from others: host name, and path and inode of its data folder."""
    status = data_dir.stat()
    return f"{os.uname().nodename}:{data_dir}:{status.st_dev}:{status.st_ino}"


def _open(file: Path) -> UidLock | None:
    try:
        return UidLock(file)
    except OSError as error:
        log.warning(
            "user ids are not reserved against other daemons on this host",
            reason=f"{file}: {error.strerror}",
            mend=f"as root, create {file} with mode 0600, owned by the daemon's user",
        )
        return None


def _known_account(ids: IdRange) -> UidClaim | None:
    """A claim by an account that is in no file: one of a directory service, or of a running systemd container.

    Only the first and the last id are looked up, as systemd advises.
    """
    for uid in (ids.first, ids.last):
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            continue
        if name != OWN_NAME:
            return UidClaim(IdRange(uid, 1), f"{name}, an account of the name service")
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
