"""What `workerctl doctor` says of this host's users, descriptors and ports."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pageworker_supervisor.cli.finding import Finding
from pageworker_supervisor.config.settings import HttpSettings, SandboxSettings, Settings
from pageworker_supervisor.host.descriptor_limit import LEAST_HTTP_CONNECTIONS, needed, raise_limit, suffices
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_lock import LOCK_FILE, UidLock
from pageworker_supervisor.host.uid_ranges import OWN_NAME, SUBORDINATE
from pageworker_supervisor.host.user_ids import HostIds, choose, seed_of

ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - it is looked for
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def host_findings(settings: Settings, data_dir: Path) -> Iterator[Finding]:
    """All of them."""
    yield _user()
    if os.geteuid() == 0:
        yield user_ids(settings.sandbox, data_dir)
    yield open_files(settings)
    yield folder_access(data_dir)
    yield endpoint(settings.http)


def user_ids(sandbox: SandboxSettings, data_dir: Path, lock_file: Path = LOCK_FILE) -> Finding:
    """Whether runners get users that are nobody else's."""
    name = "user ids"
    try:
        ids = choose(sandbox, HostIds(), seed_of(data_dir), None)
        lock = UidLock(lock_file)
    except HostRefused as refused:
        return Finding(name, False, refused.what, refused.mend)
    except OSError as error:
        what = f"{lock_file}: {error.strerror}, so they are not locked against other daemons of this host"
        return Finding(name, False, what, f"let the daemon write {lock_file.parent}")
    other = lock.take(ids)
    lock.close()
    # An automatic range that is taken is our own daemon's, or is gone around.
    found = f"{ids}, nobody's" if other is None else f"{ids}, held by a pageworker that runs"
    if sandbox.first_uid is not None and ids.overlaps(SUBORDINATE):
        line = f"{OWN_NAME}:{ids.first}:{ids.count}"
        return Finding(name, True, found, f"useradd could give them away: add {line} to /etc/subuid and /etc/subgid")
    return Finding(name, True, found)


def open_files(settings: Settings) -> Finding:
    """Whether the hard limit suffices for the pool."""
    limit, wanted = raise_limit(), needed(settings) + LEAST_HTTP_CONNECTIONS
    mend = f"raise the hard limit to {wanted} at least: LimitNOFILE= in a unit, ulimit -Hn in a shell, or lower pool.*"
    enough = suffices(settings, limit)
    return Finding("open files", enough, f"{limit} may be open, this pool needs {wanted}", "" if enough else mend)


def folder_access(data_dir: Path) -> Finding:
    """Whether others could put files of their own in the place of ours."""
    name, status = "data folder's owner", data_dir.stat()
    if status.st_uid not in (0, os.geteuid()):
        return Finding(name, False, f"{data_dir} is user {status.st_uid}'s", "chown it to the daemon's user")
    if status.st_mode & OTHERS_WRITE:
        return Finding(name, False, f"others may write {data_dir}", f"chmod go-w {data_dir}")
    return Finding(name, True, "nobody else may write it")


def endpoint(http: HttpSettings) -> Finding:
    """Who can reach the operator's endpoints."""
    host = http.bind.rpartition(":")[0]
    if host in ANYWHERE:
        found = f"http.bind is {http.bind}: whoever reaches this host reads tenants, jobs and metrics"
        return Finding("http.bind", True, found, "bind loopback or one address, or let a firewall choose who asks")
    return Finding("http.bind", True, http.bind)


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding("user", True, "root: each runner gets a user of its own")
    return Finding("user", True, "not root: runners share this user, and are kept apart by namespaces and Landlock")
