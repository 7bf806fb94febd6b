"""Probes: forbidden acts that a confined process attempts. The kernel's refusals prove the confinement."""

import ctypes
import errno
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pageworker_sandbox import memfd
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.syscalls import call

CLONE_NEWUSER = 0x10000000
PTRACE_TRACEME = 0
NOT_FOUND_BY_FILTER = "/nonexistent"
"""seccomp must refuse these calls before the kernel looks the name up, so ENOENT is a breach."""
FILE_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.EROFS})
CALL_REFUSALS = frozenset({errno.EPERM, errno.ENOSYS})


@dataclass(frozen=True)
class ConfinementProbe:
    """One forbidden act, and the errnos that count as a refusal. An act that succeeds cleans up after itself."""

    name: str
    act: Callable[[], object]
    refusals: frozenset[int] = CALL_REFUSALS

    def run(self) -> str:
        """Attempt it. Returns the errno's name. Raises ConfinementFailed if the kernel permitted the act."""
        try:
            self.act()
        except OSError as error:
            code = error.errno or 0
            name = errno.errorcode.get(code, str(code))
            if code in self.refusals:
                return name
            raise ConfinementFailed(f"probe {self.name}: {name} does not count as a refusal") from error
        raise ConfinementFailed(f"probe {self.name}: the kernel permitted it")


def _open(path: str, flags: int) -> Callable[[], object]:
    return lambda: os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))


def _socket(family: int, kind: int) -> Callable[[], object]:
    return lambda: socket.socket(family, kind).close()


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


PROBES = (
    ConfinementProbe("read_profile", _open("/profile", os.O_RDONLY | os.O_DIRECTORY), FILE_REFUSALS),
    ConfinementProbe("read_passwd", _open("/etc/passwd", os.O_RDONLY), FILE_REFUSALS),
    ConfinementProbe("read_environ", _open("/proc/self/environ", os.O_RDONLY), FILE_REFUSALS),
    ConfinementProbe("read_pid1", _open("/proc/1/environ", os.O_RDONLY), FILE_REFUSALS),
    ConfinementProbe("list_root", _open("/", os.O_RDONLY | os.O_DIRECTORY), FILE_REFUSALS),
    ConfinementProbe("write_profile", _open("/profile/probe", os.O_WRONLY | os.O_CREAT), FILE_REFUSALS),
    ConfinementProbe("write_tmp", _open("/tmp/probe", os.O_WRONLY | os.O_CREAT), FILE_REFUSALS),  # noqa: S108 - a fixed name: it must be refused
    ConfinementProbe("write_shm", _open("/dev/shm/probe", os.O_WRONLY | os.O_CREAT), FILE_REFUSALS),  # noqa: S108 - a fixed name: it must be refused
    ConfinementProbe("socket", _socket(socket.AF_INET, socket.SOCK_STREAM)),
    ConfinementProbe("socket_unix", _socket(socket.AF_UNIX, socket.SOCK_STREAM)),
    ConfinementProbe("socket_raw", _socket(socket.AF_INET, socket.SOCK_RAW)),
    ConfinementProbe("fork", _fork),
    ConfinementProbe("clone3", lambda: call("clone3", None, 0)),
    ConfinementProbe("exec", lambda: call("execve", NOT_FOUND_BY_FILTER.encode(), None, None)),
    ConfinementProbe("execveat", lambda: call("execveat", -1, NOT_FOUND_BY_FILTER.encode(), None, None, 0)),
    ConfinementProbe("kill", lambda: os.kill(1, 0)),
    ConfinementProbe("tgkill", lambda: call("tgkill", 1, 1, 0)),
    ConfinementProbe("pidfd_open", lambda: call("pidfd_open", 1, 0)),
    ConfinementProbe("pidfd_getfd", lambda: call("pidfd_getfd", -1, 0, 0)),
    ConfinementProbe("ptrace", lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0)),
    ConfinementProbe("process_vm", lambda: call("process_vm_readv", 1, None, 0, None, 0, 0)),
    ConfinementProbe("unshare", lambda: call("unshare", CLONE_NEWUSER)),
    ConfinementProbe("setns", lambda: call("setns", -1, 0)),
    ConfinementProbe("mount", lambda: call("mount", None, None, None, 0, None)),
    ConfinementProbe("open_tree", lambda: call("open_tree", -1, None, 0)),
    ConfinementProbe("io_uring", lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(120))),
    ConfinementProbe("bpf", lambda: call("bpf", 0, None, 0)),
    ConfinementProbe("perf_event", lambda: call("perf_event_open", None, 0, -1, -1, 0)),
    ConfinementProbe("keyctl", lambda: call("keyctl", 0, 0, 0, 0, 0)),
    ConfinementProbe("userfaultfd", lambda: call("userfaultfd", 0)),
)


def refusals() -> dict[str, str]:
    """Run all probes. Returns errno name by probe name. Raises ConfinementFailed at the first breach."""
    return {probe.name: probe.run() for probe in PROBES}


def still_works() -> None:
    """Try what must work in a confined process: sealed memfds and threads. Raises ConfinementFailed."""
    try:
        descriptor = memfd.seal(b"probe", "probe")
        try:
            memfd.read_sealed(descriptor, 5)
        finally:
            os.close(descriptor)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
    except (OSError, RuntimeError, memfd.NotSealed) as error:
        raise ConfinementFailed(f"the confinement forbids something that a runner needs: {error}") from error
