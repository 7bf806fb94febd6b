"""Checks of this host beside its sandbox: users, descriptors, data folder, port, trusted keys."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import HttpSettings, SandboxSettings, Settings
from pageworker_supervisor.host import uid_record
from pageworker_supervisor.host.capabilities import own_rights
from pageworker_supervisor.host.descriptor_limit import MIN_HTTP_CONNECTIONS, needed, raise_limit, suffices
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.rights import Rights
from pageworker_supervisor.host.shared_profiles import shared_profiles
from pageworker_supervisor.host.uid_lock import LOCK_FILE, UidLock, daemon_users
from pageworker_supervisor.host.uid_ranges import AREAS, OWN_NAME, SUBORDINATE
from pageworker_supervisor.host.user_ids import HostIds, choose, seed_of
from pageworker_supervisor.registry import load_trust
from pageworker_supervisor.self_checks.finding import Finding

ALL_ADDRESSES = ("0.0.0.0", "[::]")  # noqa: S104 - compared with, not bound
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
MIN_FREE_BYTES = 2 * 1024**3


def host_findings(settings: Settings, data_dir: Path) -> Iterator[Finding]:
    """Every check of this host that `[checks]` configures."""
    yield trusted_keys(settings.modules)
    yield open_files(settings)
    yield data_dir_access(data_dir)
    yield data_dir_space(data_dir)


def fixed_findings(settings: Settings, data_dir: Path) -> Iterator[Finding]:
    """Checks that cannot be configured: the daemon refuses them by itself, or they only inform."""
    rights = own_rights()
    yield user(rights, settings.worker.user, _shared(settings, data_dir) if rights.is_root else "")
    if rights.is_root or rights.can_map_users:
        yield user_ids(settings.sandbox, data_dir)
    yield endpoint(settings.http)


def user_ids(sandbox: SandboxSettings, data_dir: Path, lock_file: Path = LOCK_FILE) -> Finding:
    """Do the runners get user ids that no account and no other worker uses?"""
    name = "user ids"
    try:
        ids = choose(sandbox, HostIds(), seed_of(data_dir), None, uid_record.read(data_dir))
        lock = UidLock(lock_file)
    except HostRefused as refused:
        return Finding(name, False, refused.what, refused.mend)
    except OSError as error:
        what = f"{lock_file}: {error.strerror}. Without the lock, two workers on this host could use the same user ids"
        return Finding(name, False, what, f"let the worker write to {lock_file.parent}")
    other = lock.take(ids)
    lock.close()
    # An automatic range that is taken belongs to a worker with this data folder, or the worker chooses another range.
    found = f"{ids}, not used by any account" if other is None else f"{ids}, used by a running worker"
    if sandbox.first_uid is not None and ids.overlaps(SUBORDINATE):
        line = f"{OWN_NAME}:{ids.first}:{ids.count}"
        return Finding(
            name,
            True,
            found,
            f"useradd could assign these ids to another user. Add {line} to /etc/subuid and /etc/subgid",
        )
    return Finding(name, True, found)


def open_files(settings: Settings) -> Finding:
    """Is the hard limit of open files high enough for the pool?"""
    limit, wanted = raise_limit(), needed(settings.pool, settings.callbacks) + MIN_HTTP_CONNECTIONS
    mend = f"raise the hard limit to at least {wanted} (LimitNOFILE= in a unit, ulimit -Hn in a shell), or lower pool.*"
    enough = suffices(settings.pool, settings.callbacks, limit)
    return Finding(
        "open_files", enough, f"the hard limit is {limit} open files, this pool needs {wanted}", "" if enough else mend
    )


def data_dir_access(data_dir: Path) -> Finding:
    """Can this user write to the data folder, and no other?"""
    name, status = "data_dir_access", data_dir.stat()
    if not os.access(data_dir, os.W_OK | os.X_OK):
        return Finding(name, False, f"{data_dir}: no permission to write", "change its owner, or set worker.data_dir")
    # Root also asks for a worker with a user of its own.
    if status.st_uid not in daemon_users() and not _reserved_id(data_dir, status.st_uid):
        return Finding(name, False, f"{data_dir} belongs to user {status.st_uid}", "chown it to the user of the worker")
    if status.st_mode & OTHERS_WRITE:
        return Finding(name, False, f"other users may write to {data_dir}", f"chmod go-w {data_dir}")
    return Finding(name, True, "no other user may write to it")


def _reserved_id(data_dir: Path, uid: int) -> bool:
    """Whether it is the id of a worker that was started as root on a host without the account `pageworker`."""
    if not own_rights().is_root:
        return False
    ranges = (ids for ids in uid_record.read(data_dir) if any(area.contains(ids) for area in AREAS))
    return any(ids.first <= uid <= ids.last for ids in ranges)


def data_dir_space(data_dir: Path) -> Finding:
    """Is there space for profiles and artifacts?"""
    free = shutil.disk_usage(data_dir).free
    mend = f"free at least {MIN_FREE_BYTES // 1024**2} MiB: profiles and artifacts are stored there"
    enough = free >= MIN_FREE_BYTES
    return Finding("data_dir_space", enough, f"{data_dir}, {free // 1024**2} MiB free", "" if enough else mend)


def trusted_keys(modules: ModuleSettings) -> Finding:
    """Is there a key, without which no module could run?"""
    name = "trusted_keys"
    try:
        keys = load_trust(modules.trusted_keys, modules.trust).keys
    except KeyUnusable as unusable:
        mend = "put public keys into modules.trusted_keys: `workerctl key show NAME` prints one"
        return Finding(name, False, str(unusable), mend)
    if not keys:
        mend = "create a key with `workerctl key new release`, and add release.pub to modules.trusted_keys"
        return Finding(name, False, "no key is trusted, so the worker refuses every module", mend)
    return Finding(name, True, ", ".join(key.name for key in keys))


def endpoint(http: HttpSettings) -> Finding:
    """Which hosts can reach the HTTP endpoints?"""
    host = http.bind.rpartition(":")[0]
    if host in ALL_ADDRESSES:
        found = f"http.bind is {http.bind}: every host that reaches it can read names of tenants and jobs, and metrics"
        return Finding(
            "http.bind", True, found, "bind to loopback or to one address, or restrict access with a firewall"
        )
    return Finding("http.bind", True, http.bind)


def user(rights: Rights, wanted: str | None, shared: str = "") -> Finding:
    """As which user a worker that this user starts runs, and whether runners get their own.

    `wanted`: `worker.user`. `shared`: why the worker's profiles may be those of other workers, too.
    """
    if rights.is_root and shared:
        found = f"root: the worker keeps root's rights, because {shared}; each runner gets its own user id"
        return Finding("user", True, found, "keep the profiles in a store (profiles.store), or set worker.user")
    if rights.can_map_users:
        named = wanted or f"{OWN_NAME}, or an unused id if there is no such account"
        becomes = f"root: the worker becomes {named}" if rights.is_root else f"user {rights.uid}"
        return Finding("user", True, f"{becomes}, without capabilities; each runner gets its own user id")
    if rights.is_root:
        return Finding("user", True, f"root without {', '.join(rights.missing)}")
    shared = "not root: all runners share this user id; namespaces and Landlock separate them"
    return Finding("user", True, shared, "start the worker as root, or with CAP_SETUID and CAP_SETGID (docs/trust.md)")


def _shared(settings: Settings, data_dir: Path) -> str:
    try:
        return shared_profiles(settings.worker.user, data_dir)
    except HostRefused as refused:
        return str(refused)
