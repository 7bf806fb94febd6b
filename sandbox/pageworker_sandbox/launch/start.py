"""Starting cells: descriptors, the launcher program, the handshake with bubblewrap."""

import asyncio
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from pageworker_sandbox.launch import bubblewrap, cgroup, seccomp
from pageworker_sandbox.launch.errors import LaunchFailed
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import STAGE, LaunchPlan, ProcessLimits, launcher_command
from pageworker_sandbox.launch.mounts import Mount, Scratch
from pageworker_sandbox.launch.root_layout import START, SandboxSpec, runner_mounts
from pageworker_sandbox.launch.sandboxed_process import OutputTail, SandboxedProcess

START_SECONDS = 20.0
NPROC_SLACK = 16
"""Where a cgroup counts processes the resource limit is so much higher: only the cgroup tells what it refused."""


@dataclass(frozen=True)
class Program:
    """What runs in a cell."""

    name: str
    module: str
    policy: seccomp.PolicyName
    mounts: Sequence[Mount]
    uid: int | None
    limits: ProcessLimits
    network: bool = False
    passed: Mapping[str, int] = field(default_factory=dict)
    """Descriptors that it inherits, by the argument that names each."""
    second_policy: seccomp.PolicyName | None = None


async def launch(host: Host, spec: SandboxSpec) -> SandboxedProcess:
    """Start `python -m pageworker_runner --channel-fd N --filter-fd M` in a cell. Raises LaunchFailed, OSError."""
    return await start(
        host,
        Program(
            name=spec.runner_id,
            module="pageworker_runner",
            policy="runner",
            mounts=runner_mounts(host, spec),
            uid=spec.uid,
            limits=ProcessLimits(spec.memory_bytes, spec.processes),
            second_policy="confined",
        ),
    )


async def start(host: Host, program: Program) -> SandboxedProcess:
    """Start a program in a cell. Raises LaunchFailed, OSError."""
    if threading.current_thread() is not threading.main_thread():
        # The cell dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG).
        raise RuntimeError("cells are started by the main thread")
    if (program.uid is None) == (os.geteuid() == 0):
        raise ValueError("root gives every cell a user of its own; an ordinary user can not")
    home = cgroup.home()
    group = home.create(program.name, program.limits.memory_bytes, program.limits.processes) if home else None
    if group is not None and home is not None and "pids" in home.controllers:
        limits = replace(program.limits, processes=program.limits.processes + NPROC_SLACK)
        program = replace(program, limits=limits)
    with ExitStack() as stack:
        cell, line = _spawn(host, program, group, stack)
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await _first_process(line.info)
                cell.set_init_pid(first)
                if program.uid is None:
                    _limit_processes(first, program.limits.processes)
                os.write(line.release, b"1")
                if not await _read(line.up, 1):
                    raise EOFError("the interpreter did not start")
        except BaseException as error:
            cell.kill()
            cell.channel.close()
            await asyncio.shield(cell.wait())
            if isinstance(error, EOFError | TimeoutError | ProcessLookupError):
                raise LaunchFailed(f"no cell: {cell.stderr.strip() or error!r}") from error
            raise
    return cell


def _limit_processes(first: int, processes: int) -> None:
    """Where the user is not the cell's own: only now, within the cell's user namespace, does the limit count
    the cell alone and not everything else that this user runs. Raises OSError."""
    resource.prlimit(first, resource.RLIMIT_NPROC, (processes, processes))


@dataclass(frozen=True)
class _StartPipes:
    """Our ends of three pipes to a cell that is coming up."""

    info: int
    """bubblewrap tells of the first process."""
    release: int
    """It waits for a byte before it goes on."""
    up: int
    """The interpreter inside says that it runs."""


def _spawn(
    host: Host, program: Program, group: cgroup.Cgroup | None, stack: ExitStack
) -> tuple[SandboxedProcess, _StartPipes]:
    """The launcher as a child."""
    keep = _FdStack(stack)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    stack.callback(theirs.close)
    info_read, info_write = keep.pipe()
    block_read, block_write = keep.pipe()
    up_read, up_write = keep.pipe()
    stderr_read, stderr_write = os.pipe()
    stack.callback(os.close, stderr_write)
    arguments = ["--channel-fd", str(theirs.fileno())]
    passed = [theirs.fileno(), info_write, block_read, up_write, *program.passed.values()]
    arguments += [word for flag, number in program.passed.items() for word in (flag, str(number))]
    if program.second_policy:
        passed.append(keep.memfd(seccomp.compiled(program.second_policy)))
        arguments += ["--filter-fd", str(passed[-1])]
    filter_fd = keep.memfd(seccomp.compiled(program.policy))
    descriptors = bubblewrap.Descriptors(filter_fd, (info_write, block_read))
    words = bubblewrap.words(program.mounts, STAGE, descriptors, network=program.network, rename=host.renames)
    # By descriptor: /proc/1/cmdline is seen inside.
    words_fd = keep.memfd("\0".join(words).encode() + b"\0")
    command = bubblewrap.command(host.python, START, [str(up_write), program.module, *arguments])
    argv = [str(host.bubblewrap), "--args", str(words_fd), "--", *command]
    folders = () if group is None else group.folders
    plan_fd = keep.memfd(LaunchPlan(program.mounts, argv, program.uid, folders, program.limits).encode())
    passed += [filter_fd, words_fd, plan_fd]
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
    shares = frozenset({"net"}) if program.network else frozenset[str]()
    # Our copies must go now: only then does the end of the others end the pipes.
    keep.close(info_write)
    keep.close(up_write)
    line = _StartPipes(info_read, block_write, up_read)
    tmpfs = [mount.inside for mount in program.mounts if isinstance(mount, Scratch)]
    try:
        return SandboxedProcess(child, ours, OutputTail(stderr_read), group, shares, tmpfs), line
    except OSError:
        # No descriptor to watch it by.
        child.kill()
        child.wait()
        ours.close()
        raise


async def _first_process(info: int) -> int:
    """The pid, outside, of the cell's first process. Raises EOFError where bubblewrap ends without a word."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        part = await _read(info, 4096)
        if not part:
            raise EOFError("bubblewrap ended without a word")
        text += part
    return int(json.loads(text)["child-pid"])


async def _read(pipe: int, size: int) -> bytes:
    """What comes next; nothing at the end of file."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(pipe, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe)
    return os.read(pipe, size)


class _FdStack:
    """Descriptors that are ours until the stack unwinds."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[int, Callable[[], None]] = {}

    def pipe(self) -> tuple[int, int]:
        """A pipe, both ends kept."""
        read, write = os.pipe()
        return self._add(read), self._add(write)

    def memfd(self, data: bytes) -> int:
        """A memfd with these bytes, read from the beginning."""
        descriptor = self._add(os.memfd_create("pageworker"))
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def close(self, descriptor: int) -> None:
        """Now rather than at the end. May be called again."""
        if descriptor in self._open:
            del self._open[descriptor]
            os.close(descriptor)

    def _add(self, descriptor: int) -> int:
        self._open[descriptor] = lambda: self.close(descriptor)
        self._stack.callback(self._open[descriptor])
        return descriptor
