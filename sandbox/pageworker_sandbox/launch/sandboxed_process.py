"""A running sandboxed process tree, seen from outside."""

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
from pageworker_sandbox.launch.output_tail import OutputTail

MAX_PROCFS_THREADS = 64
"""Threads that read /proc. A hostile process can block such a read by holding the lock of its own memory map. That
delays the watch on its own sandbox and on no other."""
_procfs_threads = ThreadPoolExecutor(MAX_PROCFS_THREADS, thread_name_prefix="procfs")

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


async def _in_thread(read: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Run it in a thread: to measure a tree, some hundred files of /proc are read."""
    return await asyncio.get_running_loop().run_in_executor(_procfs_threads, read, *arguments)


@dataclass(frozen=True)
class ExitStatus:
    """How the sandboxed program ended: exactly one of the two is set."""

    code: int | None
    signal: int | None


class SandboxedProcess:
    """One sandboxed process tree. `channel` is our end of its socket pair; its user closes it.

    Two processes are watched: bubblewrap, outside, and the init process of the sandbox's pid namespace. When init
    dies, the kernel kills every process in the namespace, and it reports init's end only when none of them is left
    (pid_namespaces(7)).
    """

    def __init__(
        self,
        bubblewrap: subprocess.Popen[bytes],
        channel: socket.socket,
        stderr: OutputTail,
        cgroup: Cgroup | None,
        shared_namespaces: frozenset[str],
        tmpfs: Sequence[Path] = (),
    ) -> None:
        self.pid = bubblewrap.pid
        self.channel = channel
        self._bubblewrap = bubblewrap
        self._stderr = stderr
        self._cgroup = cgroup
        self._shared_namespaces = shared_namespaces
        self._tmpfs = tmpfs
        self._hits = LimitHits()
        self._init_pid: int | None = None
        self._watched: dict[int, int] = {}
        """pidfd by pid."""
        self._ended_inits: list[int] = []
        """pidfds."""
        self._gone = asyncio.Event()
        self._watch(bubblewrap.pid)

    def set_init_pid(self, pid: int) -> None:
        """bubblewrap has reported the pid of the sandbox's init process. Raises ProcessLookupError."""
        self._init_pid = pid
        self._watch(pid)

    @property
    def stderr(self) -> str:
        """The last bytes that the tree wrote to stdout and stderr. Untrusted."""
        return str(self._stderr)

    async def wait(self) -> ExitStatus:
        """Wait until no process of the tree is left."""
        await self._gone.wait()
        code = self._bubblewrap.returncode
        return ExitStatus(None, -code) if code < 0 else ExitStatus(code, None)

    def kill(self) -> None:
        """End the whole tree now. May be called at any time and any number of times."""
        if self._cgroup is not None and not self._gone.is_set():
            self._cgroup.kill()
        for descriptor in self._watched.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)

    async def proof(self) -> dict[str, str]:
        """What /proc shows of the program inside. Raises LaunchFailed if a mechanism of the sandbox is missing."""
        try:
            return self._proof()
        except (*procfs.GONE, PermissionError) as error:
            raise LaunchFailed(f"/proc does not show the sandboxed program: {error}") from error

    def _proof(self) -> dict[str, str]:
        (program, *_) = procfs.children(self._init_pid or 0) or (0,)
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
            "cgroup": self._limiting_controllers(program),
            **{f"ns_{name}": inode for name, inode in theirs.items()},
        }
        confined = (proof["no_new_privs"], proof["seccomp"], int(proof["cap_eff"], 16)) == ("1", "2", 0)
        if not confined or shared != self._shared_namespaces:
            raise LaunchFailed(
                f"sandbox verification failed: {proof}, namespaces shared with the host: {sorted(shared)}"
            )
        return proof

    def _limiting_controllers(self, program: int) -> str:
        """Controllers of the cgroup that limit the program, in alphabetical order. Empty: it is in no such cgroup."""
        if self._cgroup is None:
            return ""
        paths = procfs.cgroups(program)
        wanted = (f"/{folder.parent.name}/{folder.name}" for folder in self._cgroup.folders)
        inside = all(any(path.endswith(end) for path in paths) for end in wanted)
        return " ".join(sorted(self._cgroup.limited)) if inside else ""

    async def memory_bytes(self, at_most: int = 0) -> int:
        """Memory of the tree in bytes: proportional set size, tmpfs, and the program's memfds.

        Bytes that are in a tmpfs or memfd and also mapped are counted twice at first. They are subtracted only where
        the sum is above `at_most`, because that takes long.
        """
        return await _in_thread(self._memory_bytes, at_most)

    def _memory_bytes(self, at_most: int) -> int:
        mapped = sum(map(procfs.pss_bytes, self._tree()))
        memfds = {
            inode: size for pid in procfs.children(self._init_pid or 0) for inode, size in procfs.memfds(pid).items()
        }
        tmpfs = self.tmpfs_use_now()
        used = mapped + sum(memfds.values()) + sum(use.memory_bytes for use in tmpfs)
        if used > at_most:
            devices = {use.device for use in tmpfs}
            used -= sum(procfs.mapped_bytes(pid, devices, memfds) for pid in self._tree())
        return used

    async def cpu_seconds(self) -> float:
        """CPU time of the tree, its ended processes included as far as the others have waited for them."""
        return await _in_thread(lambda: sum(map(procfs.cpu_seconds, self._tree())))

    async def processes(self) -> int:
        """Number of threads and processes of the tree."""
        return await _in_thread(lambda: sum(map(procfs.tasks, self._tree())))

    async def tmpfs_use(self) -> list[procfs.TmpfsUse]:
        """How full each tmpfs is."""
        return await _in_thread(self.tmpfs_use_now)

    def tmpfs_use_now(self) -> list[procfs.TmpfsUse]:
        """The same without a thread. Takes some ten microseconds per tmpfs."""
        if self._init_pid is None or self._gone.is_set():
            return []
        uses = (procfs.tmpfs_use(self._init_pid, inside) for inside in self._tmpfs)
        return [use for use in uses if use is not None]

    def limit_hits(self) -> LimitHits:
        """How often the kernel enforced a limit of its cgroup. Zeros without one. Still known after the tree's end."""
        return self._hits if self._cgroup is None or self._gone.is_set() else self._cgroup.hits()

    def _tree(self) -> Iterable[int]:
        return procfs.tree(self.pid) if not self._gone.is_set() else ()

    def _watch(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self._watched[pid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._on_end(pid))

    def _on_end(self, pid: int) -> Callable[[], None]:
        def on_end() -> None:
            descriptor = self._watched.pop(pid)
            asyncio.get_running_loop().remove_reader(descriptor)
            if pid == self.pid:
                os.close(descriptor)
                self._bubblewrap.wait()
            else:
                self._ended_inits.append(descriptor)
            if not self._watched:
                self._clear()

        return on_end

    def _clear(self) -> None:
        for descriptor in self._ended_inits:
            # bubblewrap may end before init, without waiting for it. Init is then a child of the first process of the
            # pid namespace, which is this one in a container, and it stays a zombie until this one waits for it.
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
            os.close(descriptor)
        self._ended_inits.clear()
        self._stderr.drain()
        self._stderr.close()
        if self._cgroup is not None:
            self._hits = self._cgroup.hits()
            self._cgroup.remove()
        self._gone.set()
