"""System calls that the standard library does not offer. Numbers: the kernel's arch/*/entry/syscalls/syscall*.tbl."""

import ctypes
import errno
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

# System calls added since 2019 have the same number on all architectures.
COMMON = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "pidfd_open": 434,
    "clone3": 435,
    "openat2": 437,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
X86_64 = {
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101, "prctl": 157, "mount": 165,
    "tkill": 200, "tgkill": 234, "keyctl": 250, "add_key": 248, "unshare": 272, "perf_event_open": 298,
    "setns": 308, "process_vm_readv": 310, "seccomp": 317, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    "connect": 42, "bind": 49, "socket": 41, "open_by_handle_at": 304, "clone": 56,
}  # fmt: skip
AARCH64 = {
    "execve": 221, "kill": 129, "ptrace": 117, "prctl": 167, "mount": 40, "tkill": 130, "tgkill": 131,
    "keyctl": 219, "add_key": 217, "unshare": 97, "perf_event_open": 241, "setns": 268,
    "process_vm_readv": 270, "seccomp": 277, "bpf": 280, "execveat": 281, "userfaultfd": 282,
    "connect": 203, "bind": 200, "socket": 198, "open_by_handle_at": 265, "clone": 220,
}  # fmt: skip
NUMBERS = COMMON | {"x86_64": X86_64, "aarch64": AARCH64}.get(platform.machine(), {})

Argument = int | bytes | ctypes.Array[ctypes.c_char] | ctypes.Structure | None


def call(name: str, *arguments: Argument) -> int:
    """Make a system call. Raises OSError with the kernel's errno, ENOSYS if the architecture lacks the call."""
    number = NUMBERS.get(name)
    if number is None:
        raise OSError(errno.ENOSYS, f"{name}: no such call on {platform.machine()}")
    result: int = _syscall(ctypes.c_long(number), *(_as_c(argument) for argument in arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """Call prctl(2). Raises OSError."""
    return call("prctl", option, *arguments, *(0,) * (4 - len(arguments)))


def _as_c(argument: Argument) -> object:
    if argument is None:
        return None
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    return argument
