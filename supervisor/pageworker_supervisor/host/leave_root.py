"""Makes a worker that was started as root a user without root's rights. docs/trust.md: What the daemon gives up."""

import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.cgroup import give_root
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.host.capabilities import become, own_rights
from pageworker_supervisor.host.data_handover import hand_over, take_back
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.host.reach import out_of_reach
from pageworker_supervisor.host.rights import NEEDED, ROOT, SETFCAP
from pageworker_supervisor.host.shared_profiles import shared_profiles
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.worker_user import Account, WorkerUser, account_name, as_far_as_it_reaches, worker_user
from pageworker_supervisor.telemetry import log

LeaveRoot = Callable[[IdRange, Sequence[IdRange]], IdRange]
"""`leave_root` for one worker: its ids, and those of earlier runs, to the ids that are left for sandboxes."""


def way_out_of_root(settings: Settings, data_dir: Path, secrets: Iterable[Path] = ()) -> LeaveRoot | None:
    """How a worker that is started as root leaves it. None: it has to stay root. Raises HostRefused, OSError.

    `secrets`: files that the worker reads beside those that its settings name.
    """
    if own_rights().is_root and (shared := shared_profiles(settings.worker.user, data_dir)):
        log.warning(
            "the worker stays root, with all of root's rights",
            reason=f"{shared}, and workers with users of their own cannot share profiles",
            mend="keep the profiles in a store (profiles.store), or set worker.user if no other worker uses them",
        )
        take_back(data_dir)
        return None
    return partial(leave_root, settings, data_dir, tuple(secrets))


def leave_root(
    settings: Settings, data_dir: Path, secrets: Sequence[Path], ids: IdRange, earlier: Sequence[IdRange] = ()
) -> IdRange:
    """Become the worker's user, with NEEDED and no other capability. Returns the ids that are left for sandboxes.

    The data folder and the cgroup of this worker are given to the user first. `earlier`: ids of earlier runs that will
    be mapped too. Raises HostRefused, OSError.
    """
    wanted = settings.worker.user
    chosen = worker_user(wanted, _account(account_name(wanted)), ids)
    paths = [*_program(settings), *_paths(settings), *secrets, *data_dir.parents, *_registry(data_dir)]
    closed = out_of_reach(list(dict.fromkeys(paths)), chosen.uid, chosen.gid, chosen.groups)
    user, why = as_far_as_it_reaches(chosen, closed)
    if why:
        log.warning(
            "the worker keeps the user id of root, without root's capabilities",
            reason=why,
            mend="give this user access, or set worker.user to `root` if that is wanted",
        )
    changed = _give_data_dir(data_dir, user, (ids, *earlier))
    keep = [needed.number for needed in NEEDED]
    if user.uid == ROOT:
        keep.append(SETFCAP)  # the kernel wants it for a map that has user 0 (user_namespaces(7))
    else:
        give_root(user.uid, user.gid)
    become(user.uid, user.gid, user.groups, keep)
    harden()  # again: with another user a process may become dumpable (fs.suid_dumpable in proc_sys_fs(5))
    log.info("left root", uid=user.uid, files_handed_over=changed)
    return user.ids


def _give_data_dir(data_dir: Path, user: WorkerUser, mapped: Sequence[IdRange]) -> int:
    try:
        return hand_over(data_dir, user.uid, user.gid, mapped)
    except PermissionError as error:
        raise HostRefused(
            f"root may not give the data folder {data_dir} to user {user.uid}: {error.strerror}",
            "grant CAP_CHOWN and CAP_DAC_READ_SEARCH for the start, or run"
            f" `chown -R {user.uid}:{user.gid} {data_dir}` while no worker runs",
        ) from error


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


def _registry(data_dir: Path) -> Iterator[Path]:
    """What commands of root have published in the data folder: it stays root's."""
    folder = data_dir / "registry"
    yield from (path for path in (folder, folder / "index.json") if path.exists())


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
