"""A running cell, seen from outside."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

from pageworker_sandbox.launch import procfs
from pageworker_sandbox.launch.cgroup import Cgroup, LimitHits
from pageworker_sandbox.launch.errors import LaunchFailed

STDERR_BYTES = 8192
PIPE_BYTES = 64 * 1024
FLOOD_SECONDS = 0.05
"""A writer that fills the whole pipe waits so long before it is read again."""


MAX_LOOKS = 64
"""Threads that look at processes. A hostile process can keep one waiting (it holds its own memory map's lock): that
holds up the watch on its own cell, and nothing else."""
_looks = ThreadPoolExecutor(MAX_LOOKS, thread_name_prefix="look")

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


async def _looked(look: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """In a thread: a look reads some hundred files of /proc."""
    return await asyncio.get_running_loop().run_in_executor(_looks, look, *arguments)


@dataclass(frozen=True)
class ExitStatus:
    """How the cell's program ended: one of the two."""

    code: int | None
    signal: int | None


class OutputTail:
    """The last bytes of a pipe, drained whenever something comes: its writer never has to wait for a reader."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._bytes = bytearray()
        self._watch()

    def __str__(self) -> str:
        return self._bytes.decode(errors="replace")

    def drain(self) -> None:
        """Take what is there; close at the end of file."""
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, PIPE_BYTES)
        except BlockingIOError:
            return
        self._bytes = (self._bytes + data)[-STDERR_BYTES:]
        if not data:
            self.close()
        elif len(data) == PIPE_BYTES:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.call_later(FLOOD_SECONDS, self._watch)

    def _watch(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self.drain)

    def close(self) -> None:
        """No more is wanted. May be called again."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class SandboxedProcess:
    """One sandboxed process tree. `channel` is ours to close by whoever speaks on it.

    `processes` are bubblewrap outside and the first process of the cell's pid namespace, whose death is the
    death of all in it: the kernel reports it only when none of them is left (pid_namespaces(7)).
    """

    def __init__(
        self,
        bubblewrap: subprocess.Popen[bytes],
        channel: socket.socket,
        stderr: OutputTail,
        cgroup: Cgroup | None,
        shares: frozenset[str],
        tmpfs: Sequence[Path] = (),
    ) -> None:
        self.pid = bubblewrap.pid
        self.channel = channel
        self._bubblewrap = bubblewrap
        self._stderr = stderr
        self._cgroup = cgroup
        self._shares = shares
        self._tmpfs = tmpfs
        self._hits = LimitHits()
        self._first: int | None = None
        self._watched: dict[int, int] = {}
        self._gone = asyncio.Event()
        self._watch(bubblewrap.pid)

    def set_init_pid(self, first: int) -> None:
        """The pid of the cell's first process is known now. Raises ProcessLookupError."""
        self._first = first
        self._watch(first)

    @property
    def stderr(self) -> str:
        """The last of what the tree wrote to stdout and stderr. Untrusted."""
        return str(self._stderr)

    async def wait(self) -> ExitStatus:
        """Until no process of the tree is left."""
        await self._gone.wait()
        code = self._bubblewrap.returncode
        return ExitStatus(None, -code) if code < 0 else ExitStatus(code, None)

    def kill(self) -> None:
        """End the whole tree now. May be called at any time, any number of times."""
        if self._cgroup is not None and not self._gone.is_set():
            self._cgroup.kill()
        for descriptor in self._watched.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)

    async def proof(self) -> dict[str, str]:
        """The kernel's words about the program inside. Raises LaunchFailed where they are not as they must be."""
        try:
            return self._proof()
        except (*procfs.GONE, PermissionError) as error:
            raise LaunchFailed(f"no proof from the kernel: {error}") from error

    def _proof(self) -> dict[str, str]:
        (program, *_) = procfs.children(self._first or 0) or (0,)
        status = procfs.status(program)
        ours, theirs = procfs.namespaces("self"), procfs.namespaces(program)
        shared = {name for name in theirs if theirs[name] == ours[name]}
        proof = {
            "uid": status["Uid"].split()[0],
            "gid": status["Gid"].split()[0],
            "groups": status["Groups"],
            "no_new_privs": status["NoNewPrivs"],
            "seccomp": status["Seccomp"],
            "seccomp_filters": status.get("Seccomp_filters", "?"),
            "cap_eff": status["CapEff"],
            **{f"ns_{name}": inode for name, inode in theirs.items()},
        }
        confined = (proof["no_new_privs"], proof["seccomp"], int(proof["cap_eff"], 16)) == ("1", "2", 0)
        if not confined or shared != self._shares:
            raise LaunchFailed(f"the wall does not stand: {proof}, namespaces shared with us: {sorted(shared)}")
        return proof

    async def memory_bytes(self, at_most: int = 0) -> int:
        """Proportional set size of the tree, its tmpfs, and the program's memfds.

        What is both in a tmpfs (or memfd) and mapped is in two of them. It is looked for, which takes long, only
        where the sum is above `at_most`.
        """
        return await _looked(self._memory_bytes, at_most)

    def _memory_bytes(self, at_most: int) -> int:
        mapped = sum(map(procfs.pss_bytes, self._tree()))
        kept = {inode: size for pid in procfs.children(self._first or 0) for inode, size in procfs.memfds(pid).items()}
        tmpfs = self.tmpfs_use_now()
        used = mapped + sum(kept.values()) + sum(use.memory_bytes for use in tmpfs)
        if used > at_most:
            devices = {use.device for use in tmpfs}
            used -= sum(procfs.mapped_bytes(pid, devices, kept) for pid in self._tree())
        return used

    async def processes(self) -> int:
        """Threads and processes of the tree."""
        return await _looked(lambda: sum(map(procfs.tasks, self._tree())))

    async def tmpfs_use(self) -> list[procfs.TmpfsUse]:
        """How full each tmpfs is."""
        return await _looked(self.tmpfs_use_now)

    def tmpfs_use_now(self) -> list[procfs.TmpfsUse]:
        """The same at once: some ten microseconds each, without a thread."""
        if self._first is None or self._gone.is_set():
            return []
        uses = (procfs.tmpfs_use(self._first, inside) for inside in self._tmpfs)
        return [use for use in uses if use is not None]

    def limit_hits(self) -> LimitHits:
        """What the kernel refused the tree, or killed of it, where it has a cgroup with limits. Known after its end."""
        return self._hits if self._cgroup is None or self._gone.is_set() else self._cgroup.hits()

    def _tree(self) -> Iterable[int]:
        return procfs.tree(self.pid) if not self._gone.is_set() else ()

    def _watch(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self._watched[pid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._ended(pid))

    def _ended(self, pid: int) -> Callable[[], None]:
        def note() -> None:
            descriptor = self._watched.pop(pid)
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
            if pid == self.pid:
                self._bubblewrap.wait()
            if not self._watched:
                self._clear()

        return note

    def _clear(self) -> None:
        self._stderr.drain()
        self._stderr.close()
        if self._cgroup is not None:
            self._hits = self._cgroup.hits()
            self._cgroup.remove()
        self._gone.set()
