"""Starts a real sandbox with the real launcher, without some named mechanisms.

The changes are made in this process, for the time of one start, and in the launcher program of the tests. No setting
and no environment variable of the product can do that.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pageworker_sandbox.launch import Host, bubblewrap, cgroup, launch_plan, launcher, seccomp
from pageworker_sandbox.launch import start as starting
from pageworker_sandbox.launch.bubblewrap import Descriptors
from pageworker_sandbox.launch.mounts import Bind, Mask, Mount, MountMode, Scratch
from pageworker_sandbox.launch.program import SandboxProgram
from pageworker_sandbox.launch.sandboxed_process import SandboxedProcess
from pageworker_sandbox.launch.seccomp import PolicyName
from pw_escape import mechanisms as m
from pw_escape import policies, weak_launcher

BIG = 2
LEAKED = "PW_ESCAPE_SECRET"
RLIMIT_NUMBERS = {name: getattr(__import__("resource"), word) for word, name in m.RLIMITS.items()}


@dataclass(frozen=True)
class HostTargets:
    """What a sandbox without some mechanism can reach: mounts of the host, another user, a secret file."""

    mounts: tuple[Mount, ...]
    other_user: int | None
    secret: Path


async def start(host: Host, program: SandboxProgram, without: frozenset[str], targets: HostTargets) -> SandboxedProcess:
    """Start a program in a sandbox that lacks `without`. Raises LaunchFailed, OSError."""
    program = replace(program, mounts=_mounts(program.mounts, without, targets))
    if m.USER_PER_RUNNER in without and program.uid is not None:
        program = replace(program, uid=targets.other_user)
    with _weakened(without, targets):
        return await starting.start(host, program)


@contextmanager
def _weakened(without: frozenset[str], targets: HostTargets) -> Iterator[None]:
    real_arguments, real_rlimits, real_compiled = (
        bubblewrap.arguments,
        launch_plan.ProcessLimits.rlimits,
        seccomp.compiled,
    )
    calls: dict[str, frozenset[str]] = {
        "runner": m.details(without, m.RUNNER_FILTER),
        "gateway": m.details(without, m.GATEWAY_FILTER),
        "dialer": m.details(without, m.DIALER_FILTER),
    }

    def arguments(
        mounts: Sequence[Mount], stage: str, descriptors: Descriptors, *, network: bool, rename: bool
    ) -> list[str]:
        return _words(real_arguments(mounts, stage, descriptors, network=network, rename=rename), without)

    def rlimits(limits: launch_plan.ProcessLimits, *, own_user: bool) -> list[tuple[int, int]]:
        out = {RLIMIT_NUMBERS[name] for name in m.RLIMITS.values() if name in without}
        return [row for row in real_rlimits(limits, own_user=own_user) if row[0] not in out]

    def compiled(name: PolicyName) -> bytes:
        return policies.weakened(name, calls[name]) if calls.get(name) else real_compiled(name)

    def launcher_command(plan_fd: int) -> list[str]:
        return [sys.executable, "-I", "-S", "-B", weak_launcher.__file__, str(plan_fd), *sorted(without)]

    with ExitStack() as stack:
        change = partial(_change, stack)
        if without:
            change(bubblewrap, "arguments", arguments)
            change(launch_plan.ProcessLimits, "rlimits", rlimits)
            change(seccomp, "compiled", compiled)
            change(starting, "launcher_command", launcher_command)
            change(launch_plan, "DENY", {mode: _deny(mode, flags, without) for mode, flags in launch_plan.DENY.items()})
        if m.CONTROL_GROUP in without:
            change(cgroup, "find_root", lambda: None)
        if m.PROCESSES in without:
            change(starting, "_limit_processes", lambda first, processes: None)
        if without & {m.ENVIRONMENT, m.DESCRIPTORS, m.NEW_SESSION}:
            change(subprocess, "Popen", partial(_popen, subprocess.Popen, without, targets))
        yield


def _change(stack: ExitStack, owner: Any, name: str, value: object) -> None:
    stack.enter_context(patch.object(owner, name, value))


def _mounts(mounts: Sequence[Mount], without: frozenset[str], targets: HostTargets) -> tuple[Mount, ...]:
    found = [mount for mount in mounts if not (m.MASKS in without and isinstance(mount, Mask))]
    if m.POLICY in without:
        found = [mount for mount in found if "policies" not in mount.inside.parts]
    if m.SCRATCH_SIZE in without:
        found = [replace(x, size_bytes=BIG * x.size_bytes) if isinstance(x, Scratch) else x for x in found]
    if m.SCRATCH_FILES in without:
        found = [replace(x, files=BIG * x.files) if isinstance(x, Scratch) else x for x in found]
    if m.DEVICES in without:
        found += [Bind(Path("/dev", name), Path("/dev", name), MountMode.DEVICE) for name in ("tty", "ptmx", "pts")]
    # First, so that the sandbox's own mounts cover them.
    return (*targets.mounts, *found) if m.ROOT in without else tuple(found)


def _words(words: list[str], without: frozenset[str]) -> list[str]:
    out: list[str] = []
    single = {
        **{f"--unshare-{word}": name for name, word in m.NAMESPACES.items()},
        "--die-with-parent": m.DIE_WITH_PARENT,
        "--new-session": m.NEW_SESSION,
        "--clearenv": m.ENVIRONMENT,
    }
    rest = iter(words)
    for word in rest:
        if single.get(word) in without:
            continue
        match word:
            case "--cap-drop" if m.NO_CAPABILITIES in without:
                next(rest)
            case "--uid" | "--gid":
                number = next(rest)
                if m.USER_NS not in without:
                    out += [word, "0" if m.UID_INSIDE in without else number]
            case "--ro-bind" if m.READ_ONLY_BINDS in without:
                out.append("--bind")
            case "--bind" if m.NODEV in without:
                out.append("--dev-bind")
            case "--remount-ro":
                place = next(rest)
                if {"/": m.READ_ONLY_ROOT, "/dev": m.READ_ONLY_DEV}.get(place) not in without:
                    out += [word, place]
            case "--proc" if m.PID_NS in without:
                out += ["--bind", "/proc", next(rest)]
            case "--hostname" if m.UTS_NS in without:
                next(rest)
            case _:
                out.append(word)
    return out


def _deny(mode: MountMode, flags: int, without: frozenset[str]) -> int:
    noexec = {MountMode.READ_WRITE: m.NOEXEC_PROFILE, MountMode.DEVICE: m.NOEXEC_DEVICES}
    if noexec.get(mode) in without:
        flags &= ~launcher.MOUNT_ATTR_NOEXEC
    if m.NOSUID in without:
        flags &= ~launcher.MOUNT_ATTR_NOSUID
    if m.NODEV in without:
        flags &= ~launcher.MOUNT_ATTR_NODEV
    return flags


def _popen(
    real: type[subprocess.Popen[bytes]],
    without: frozenset[str],
    targets: HostTargets,
    command: list[str],
    **options: Any,
) -> subprocess.Popen[bytes]:
    if m.ENVIRONMENT in without:
        options["env"] = {LEAKED: "secret"}
    opened = []
    if m.DESCRIPTORS in without:
        opened.append(os.open(targets.secret, os.O_RDONLY))
        os.set_inheritable(opened[0], True)
        options["pass_fds"] = [*options["pass_fds"], *opened]
    try:
        return real(command, **options)
    finally:
        for descriptor in opened:
            os.close(descriptor)
