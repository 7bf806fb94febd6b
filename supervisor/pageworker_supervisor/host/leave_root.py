"""Makes a worker that was started as root a user without root's rights. docs/trust.md: What the daemon gives up."""

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.cgroup import give_root
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.host.capabilities import become
from pageworker_supervisor.host.data_handover import hand_over
from pageworker_supervisor.host.reach import out_of_reach
from pageworker_supervisor.host.rights import NEEDED, ROOT, SETFCAP
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.worker_user import Account, account_name, as_far_as_it_reaches, worker_user
from pageworker_supervisor.telemetry import log


def leave_root(settings: Settings, data_dir: Path, ids: IdRange) -> IdRange:
    """Become the worker's user, with NEEDED and no other capability. Returns the ids that are left for sandboxes.

    The data folder and the cgroup of this worker are given to the user first. Raises HostRefused, OSError.
    """
    wanted = settings.worker.user
    chosen = worker_user(wanted, _account(account_name(wanted)), ids)
    paths = [*_program(settings), *_paths(settings), *data_dir.parents]
    closed = out_of_reach(list(dict.fromkeys(paths)), chosen.uid, chosen.gid, chosen.groups)
    user, why = as_far_as_it_reaches(chosen, closed)
    if why:
        log.warning(
            "the worker keeps the user id of root, without root's capabilities",
            reason=why,
            mend="give this user access, or set worker.user to `root` if that is wanted",
        )
    changed = hand_over(data_dir, user.uid, user.gid)
    keep = [needed.number for needed in NEEDED]
    if user.uid == ROOT:
        keep.append(SETFCAP)  # the kernel wants it for a map that has user 0 (user_namespaces(7))
    else:
        give_root(user.uid, user.gid)
    become(user.uid, user.gid, user.groups, keep)
    log.info("left root", uid=user.uid, files_handed_over=changed)
    return user.ids


def _account(name: str) -> Account | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, found.pw_uid, found.pw_gid, tuple(os.getgrouplist(name, found.pw_gid)))


def _program(settings: Settings) -> Iterator[Path]:
    """What the worker and its sandboxes run."""
    yield Path(sys.executable)
    yield from (Path(folder) for folder in sys.path if folder)
    browsers = find_browsers(settings.browser.executable, settings.browser.flavor)
    if not isinstance(browsers, HostProblem):
        yield from (binary.source for binary in browsers.values())


def _paths(value: Any) -> Iterator[Path]:
    """Every path in the settings, but for the data folder, which is handed over. (The file with the settings is read
    before.)"""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str) and value.startswith("/"):
        yield Path(value)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "data_dir":
                yield from _paths(getattr(value, name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from _paths(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _paths(one)
