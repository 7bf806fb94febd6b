"""Finds out which rights of sandbox_rights.py this host gives: each probe is a real attempt, and leaves nothing behind.

`chromium_sandbox` needs a whole sandbox: self_test.py.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.confine.syscalls import call
from pageworker_sandbox.launch import cgroup
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.fd_stack import FdStack
from pageworker_sandbox.launch.host import OVERFLOW_UID
from pageworker_sandbox.launch.left_init import await_init
from pageworker_sandbox.launch.run_program import run_program
from pageworker_sandbox.launch.user_namespace import UserNamespace
from pageworker_sandbox.sandbox_rights import RightName

PROBE_SECONDS = 20.0
PROBE_BYTES = 256 * 1024**2
PROBE_PROCESSES = 64
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1
LANDLOCK_REFUSALS = {
    errno.ENOSYS: "this kernel has no Landlock",
    errno.EOPNOTSUPP: "landlock is not in the kernel's lsm= list",
    errno.EINVAL: "the Landlock of this kernel is too old",
    errno.E2BIG: "the Landlock of this kernel is too old",
    errno.ENOMSG: "the Landlock of this kernel is too old",
    errno.EPERM: "a seccomp profile forbids landlock_create_ruleset(2)",
}


@dataclass(frozen=True)
class ProbedRight:
    """What a probe has found. `found`: what is there, or why the right is missing."""

    there: bool
    found: str


def probe_rights(
    bubblewrap: Path | HostProblem, user_namespace: UserNamespace | None = None
) -> Mapping[RightName, ProbedRight]:
    """All but `chromium_sandbox`. A missing bubblewrap is a missing right to user namespaces.

    `user_namespace`: that of the worker, if it has one.
    """
    probes: dict[RightName, Callable[[], ProbedRight]] = {
        "landlock.fs": probe_landlock_fs,
        "landlock.net": lambda: _try_landlock(net=landlock.ALL_NET),
        "landlock.scope": lambda: _try_landlock(scopes=landlock.ALL_SCOPES),
        "seccomp": probe_seccomp,
        "userns": lambda: probe_userns(bubblewrap, user_namespace),
        "own_uid": lambda: probe_own_uid(user_namespace),
        "cgroup": probe_cgroup,
    }
    return {name: probe() for name, probe in probes.items()}


def probe_landlock_fs() -> ProbedRight:
    """Landlock has the file rights that a sandbox needs. `found` names the newer ones that this kernel lacks."""
    probed = _try_landlock(fs=landlock.NEEDED_FS)
    if not probed.there:
        return probed
    newer = [right for right in landlock.AccessFs if right not in landlock.NEEDED_FS]
    lacking = [str(right.name) for right in newer if not _try_landlock(fs=right).there]
    return ProbedRight(True, f"without {', '.join(lacking)}" if lacking else "all file rights that the sandbox uses")


def _try_landlock(fs: int = 0, net: int = 0, scopes: int = 0) -> ProbedRight:
    try:
        landlock.try_ruleset(fs, net, scopes)
    except OSError as error:
        return ProbedRight(False, LANDLOCK_REFUSALS.get(error.errno or 0, str(error)))
    return ProbedRight(True, "a ruleset with these rights can be created")


def probe_seccomp() -> ProbedRight:
    """The kernel installs filters. Chromium asks in the same way: sandbox/linux/seccomp-bpf/sandbox_bpf.cc."""
    try:
        call("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, None)
    except OSError as error:
        if error.errno == errno.EFAULT:
            return ProbedRight(True, "filters can be installed")
        return ProbedRight(False, f"seccomp(2): {error.strerror}")
    return ProbedRight(False, "seccomp(2) accepts a filter that is none")


def probe_userns(bubblewrap: Path | HostProblem, user_namespace: UserNamespace | None = None) -> ProbedRight:
    """bubblewrap starts a program in new namespaces when an ordinary user runs it.

    Not tried if the worker has a user namespace: its users start bubblewrap, and the test of a whole sandbox does too.
    """
    if isinstance(bubblewrap, HostProblem):
        return ProbedRight(False, bubblewrap.what)
    if user_namespace is not None:
        return ProbedRight(True, "this worker made one for its sandboxes")
    return run_bubblewrap(bubblewrap, "--unshare-all")


def run_bubblewrap(bubblewrap: Path, *options: str) -> ProbedRight:
    """bubblewrap starts itself, with these options, when an ordinary user runs it."""
    user = OVERFLOW_UID if os.geteuid() == 0 else None
    with ExitStack() as stack:
        info = FdStack(stack).memfd(b"")
        own = ("--ro-bind", "/", "/", "--die-with-parent", "--info-fd", str(info))
        command: list[str | Path] = [bubblewrap, *own, *options, "--", bubblewrap, "--version"]
        try:
            return _run(command, user, "available to ordinary users", info)
        finally:
            await_init(info)


def probe_own_uid(user_namespace: UserNamespace | None = None) -> ProbedRight:
    """A program starts under another user id than ours, or the worker's user namespace holds such ids."""
    if user_namespace is not None:
        return ProbedRight(True, "the user namespace of this worker holds other user ids")
    probed = _run(["/proc/self/exe", "--version"], OVERFLOW_UID, "programs start under other user ids")
    return probed if probed.there else ProbedRight(False, f"no program starts under another user id: {probed.found}")


def probe_cgroup() -> ProbedRight:
    """The kernel limits memory and processes of a cgroup that we create."""
    root = cgroup.find_root()
    if root is None:
        return ProbedRight(False, "no cgroup can be created")
    if not root.controllers >= cgroup.WANTED:
        lacking = ", ".join(sorted(cgroup.WANTED - root.controllers))
        return ProbedRight(False, f"a cgroup can be created, but without the controllers {lacking}")
    group = root.create(f"probe.{os.getpid()}", PROBE_BYTES, PROBE_PROCESSES)
    if group is None:
        return ProbedRight(False, "the kernel refuses a cgroup with limits")
    group.remove()
    if not group.limited >= cgroup.WANTED:
        return ProbedRight(False, f"a cgroup has no limits of {', '.join(sorted(cgroup.WANTED - group.limited))}")
    version = "version 1" if root.legacy else "version 2"
    return ProbedRight(True, f"{version}: limits of {', '.join(sorted(group.limited))}")


def _run(command: Sequence[str | Path], user: int | None, there: str, *passed: int) -> ProbedRight:
    """`passed`: descriptors that the program inherits."""
    groups: list[int] | None = None if user is None else []
    rights: dict[str, object] = {"user": user, "group": user, "extra_groups": groups}
    try:
        ended = run_program(command, PROBE_SECONDS, pass_fds=passed, cwd="/", env={}, **rights)
    except OSError as error:
        return ProbedRight(False, error.strerror or str(error))
    except subprocess.SubprocessError as error:
        return ProbedRight(False, str(error))
    if ended.returncode == 0:
        return ProbedRight(True, there)
    return ProbedRight(False, ended.stderr.strip() or f"exit status {ended.returncode}")
