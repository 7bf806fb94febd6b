"""Starts a sandboxed process: descriptors, the launcher program, the handshake with bubblewrap."""

import asyncio
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace

from pageworker_sandbox.launch import bubblewrap, cgroup, seccomp
from pageworker_sandbox.launch.errors import LaunchFailed
from pageworker_sandbox.launch.fd_stack import FdStack
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import STAGE, LaunchPlan, ProcessLimits, launcher_command
from pageworker_sandbox.launch.mounts import Scratch, checked_descriptors
from pageworker_sandbox.launch.output_tail import OutputTail
from pageworker_sandbox.launch.program import SandboxProgram
from pageworker_sandbox.launch.root_layout import START, SandboxSpec, runner_mounts
from pageworker_sandbox.launch.sandboxed_process import SandboxedProcess

START_SECONDS = 20.0
NPROC_SLACK = 16
"""Where a cgroup counts processes, RLIMIT_NPROC is higher by this number: only the cgroup reports a refusal."""

COUNTED_DATA = 2
"""Times its memory that each process of a runner may map if a cgroup counts memory. Garbage that is not collected
yet is mapped and not in use: node holds hundreds of MiB of it."""


def runner_limits(spec: SandboxSpec) -> ProcessLimits:
    """The limits of a runner."""
    return ProcessLimits(spec.memory_bytes, spec.processes, counted_data=COUNTED_DATA)


async def launch(host: Host, spec: SandboxSpec) -> SandboxedProcess:
    """Start `python -m pageworker_runner --channel-fd N --filter-fd M` in a sandbox. Raises LaunchFailed, OSError."""
    return await start(
        host,
        SandboxProgram(
            name=spec.runner_id,
            module="pageworker_runner",
            policy="runner",
            mounts=runner_mounts(host, spec),
            uid=spec.uid,
            limits=runner_limits(spec),
            second_policy="confined",
        ),
    )


async def start(host: Host, program: SandboxProgram) -> SandboxedProcess:
    """Start a program in a sandbox and wait until its interpreter runs. Raises LaunchFailed, OSError."""
    if threading.current_thread() is not threading.main_thread():
        # A sandbox dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG).
        raise RuntimeError("only the main thread may start sandboxes")
    if (program.uid is not None) != host.own_users:
        raise ValueError(
            "as root, or with a user namespace, give each sandbox a user of its own; as an ordinary user, give none"
        )
    root = cgroup.find_root()
    limits = program.limits
    group = root.create(program.name, limits.memory_bytes, limits.processes, program.cpu_weight) if root else None
    if "cgroup" in host.required and not (group is not None and group.limited >= cgroup.WANTED):
        if group is not None:
            group.remove()
        raise LaunchFailed("the right cgroup is missing for this sandbox, and sandbox.require names it")
    if group is not None:
        program = replace(program, limits=counted_limits(limits, group.limited))
    with ExitStack() as stack:
        process, pipes = _spawn(host, program, group, stack)
        try:
            async with asyncio.timeout(START_SECONDS):
                init_pid = await _init_pid(pipes.info)
                process.set_init_pid(init_pid)
                if program.uid is None:
                    _limit_processes(init_pid, program.limits.processes)
                os.write(pipes.release, b"1")
                if not await _read(pipes.up, 1):
                    raise EOFError("the interpreter did not start")
        except BaseException as error:
            process.kill()
            process.channel.close()
            await asyncio.shield(process.wait())
            if isinstance(error, EOFError | TimeoutError | ProcessLookupError):
                raise LaunchFailed(f"the sandbox did not start: {process.stderr.strip() or error!r}") from error
            raise
    return process


def counted_limits(limits: ProcessLimits, controllers: Collection[str]) -> ProcessLimits:
    """The limits of each process if a cgroup with these controllers counts for all of them. It reports a refusal."""
    if "pids" in controllers:
        limits = replace(limits, processes=limits.processes + NPROC_SLACK)
    return replace(limits, has_memory_cgroup="memory" in controllers)


def _limit_processes(init_pid: int, processes: int) -> None:
    """Set RLIMIT_NPROC if the sandbox shares its user with other processes. Raises OSError.

    RLIMIT_NPROC counts per user and user namespace. Set before the sandbox has its user namespace, it would count all
    processes of this user.
    """
    resource.prlimit(init_pid, resource.RLIMIT_NPROC, (processes, processes))


@dataclass(frozen=True)
class StartPipes:
    """Our ends of the three pipes to a sandbox that starts."""

    info: int
    """Read: bubblewrap writes the pid of the sandbox's init process."""
    release: int
    """Write: bubblewrap waits for a byte before it goes on."""
    up: int
    """Read: the interpreter inside writes a byte once it runs."""


def _spawn(
    host: Host, program: SandboxProgram, group: cgroup.Cgroup | None, stack: ExitStack
) -> tuple[SandboxedProcess, StartPipes]:
    """Start the launcher program as a child."""
    fds = FdStack(stack)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    stack.callback(theirs.close)
    info_read, info_write = fds.pipe()
    block_read, block_write = fds.pipe()
    up_read, up_write = fds.pipe()
    stderr_read, stderr_write = os.pipe()
    stack.callback(os.close, stderr_write)
    arguments = ["--channel-fd", str(theirs.fileno())]
    passed = [theirs.fileno(), info_write, block_read, up_write, *program.passed.values()]
    arguments += [word for flag, number in program.passed.items() for word in (flag, str(number))]
    if program.second_policy:
        passed.append(fds.memfd(seccomp.compiled(program.second_policy)))
        arguments += ["--filter-fd", str(passed[-1])]
    filter_fd = fds.memfd(seccomp.compiled(program.policy))
    descriptors = bubblewrap.Descriptors(filter_fd, (info_write, block_read))
    options = bubblewrap.arguments(program.mounts, STAGE, descriptors, network=program.network, rename=host.renames)
    # As a file: /proc/1/cmdline is visible inside the sandbox, and the options name paths of the host.
    options_fd = fds.memfd("\0".join(options).encode() + b"\0")
    command = bubblewrap.command(host.python, START, [str(up_write), program.module, *arguments])
    argv = [str(host.bubblewrap), "--args", str(options_fd), "--", *command]
    folders = () if group is None else group.folders
    namespace = host.namespace_descriptor
    plan = LaunchPlan(program.mounts, argv, program.uid, folders, program.limits, namespace)
    plan_fd = fds.memfd(plan.encode())
    passed += [filter_fd, options_fd, plan_fd, *checked_descriptors(program.mounts)]
    passed += [] if namespace is None else [namespace]
    try:
        child = subprocess.Popen(
            launcher_command(plan_fd),
            stdin=subprocess.DEVNULL,
            stdout=stderr_write,
            stderr=stderr_write,
            pass_fds=passed,
            start_new_session=True,
            cwd="/",
            env={},
        )
    except OSError:
        ours.close()
        os.close(stderr_read)
        raise
    shared_namespaces = frozenset({"net"}) if program.network else frozenset[str]()
    # Close our copies now: a pipe reaches its end of file only when all copies of its write end are closed.
    fds.close(info_write)
    fds.close(up_write)
    pipes = StartPipes(info_read, block_write, up_read)
    tmpfs = [mount.inside for mount in program.mounts if isinstance(mount, Scratch)]
    try:
        return SandboxedProcess(child, ours, OutputTail(stderr_read), group, shared_namespaces, tmpfs), pipes
    except OSError:
        # There was no descriptor left for a pidfd, so the child cannot be watched.
        child.kill()
        child.wait()
        ours.close()
        raise


async def _init_pid(info: int) -> int:
    """The pid, outside, of the sandbox's init process. Raises EOFError if bubblewrap ends without reporting it."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        part = await _read(info, 4096)
        if not part:
            raise EOFError("bubblewrap ended before it reported a process")
        text += part
    return int(json.loads(text)["child-pid"])


async def _read(pipe: int, size: int) -> bytes:
    """The next bytes of the pipe; empty at the end of file."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(pipe, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe)
    return os.read(pipe, size)
