"""Gives the worker's sandboxes user ids of their own, as far as its rights permit, and gives up those rights."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.errors import NamespaceRefused
from pageworker_sandbox.launch.user_namespace import UserNamespace, make
from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.host import uid_record
from pageworker_supervisor.host.capabilities import give_up_capabilities, own_rights
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.rights import NEEDED, Rights
from pageworker_supervisor.host.uid_lock import LOCK_FILE, UidLock
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.user_ids import REMOVE_SETTING, HostIds, choose, opened_lock, reserved, seed_of

GRANT = "grant both (systemd: AmbientCapabilities=CAP_SETGID CAP_SETUID), or none"


@dataclass(frozen=True)
class OwnUsers:
    """The user ids for gateway, runners and Redis. None and None: all of them have the worker's own user."""

    ids: IdRange | None = None
    namespace: UserNamespace | None = None
    """In which the worker may use them; None: it is root, who may use them everywhere."""


@contextmanager
def own_users(
    settings: SandboxSettings,
    data_dir: Path,
    lock_file: Path = LOCK_FILE,
    leave_root: Callable[[IdRange, Sequence[IdRange]], IdRange] | None = None,
) -> Iterator[OwnUsers]:
    """Reserve user ids for the block. The process has no capability from then on, unless it is root.

    `leave_root`: called as root, with the reserved ids, and those of earlier runs that are mapped too. It makes this
    process another user with NEEDED, and returns the ids that are left. None: root stays root. Call this before there
    are other threads. Raises HostRefused, OSError.
    """
    rights = own_rights()
    if rights.is_root and (leave_root is None or not rights.can_map_users):
        with reserved(settings, data_dir, lock_file) as ids:
            yield OwnUsers(ids)
        return
    if not rights.can_map_users:
        _refuse_half(rights)
        give_up_capabilities()
        yield OwnUsers()
        return
    with opened_lock(lock_file) as lock:
        ids, earlier = _ids(settings, data_dir, lock)
        if rights.is_root and leave_root is not None:
            ids = leave_root(ids, earlier)
        own = os.geteuid()
        if ids.contains(IdRange(own, 1)):
            raise HostRefused(f"user ids {ids} hold {own}, the id of the worker itself", REMOVE_SETTING)
        try:
            namespace = make([(one.first, one.count) for one in (ids, *earlier)])
        except NamespaceRefused as error:
            raise HostRefused(str(error), error.mend) from error
        with namespace:
            give_up_capabilities()
            yield OwnUsers(ids, namespace)


def _ids(settings: SandboxSettings, data_dir: Path, lock: UidLock | None) -> tuple[IdRange, tuple[IdRange, ...]]:
    """The ids of this run, and those of earlier ones that no other process uses now. Records them."""
    host, noted = HostIds(), uid_record.read(data_dir)
    # The worker's user may have written anything there. Mapped ids of strangers would give it their files.
    used = tuple(ids for ids in noted if host.are_ours(ids))
    ids = choose(settings, host, seed_of(data_dir), lock, used)
    recorded = uid_record.newest_first(ids, used)
    if recorded != noted:
        uid_record.write(data_dir, recorded)
    earlier = [one for one in recorded[1:] if host.obstacle(one) is None]
    return ids, tuple(one for one in earlier if lock is None or lock.take(one) is None)


def _refuse_half(rights: Rights) -> None:
    if len(rights.missing) < len(NEEDED):
        raise HostRefused(f"the worker runs as {rights}, and lacks {', '.join(rights.missing)}", GRANT)
