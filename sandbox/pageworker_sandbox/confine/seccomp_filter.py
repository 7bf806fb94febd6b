"""Installs a compiled seccomp filter in the running process. Source: seccomp(2), linux/filter.h."""

import ctypes
import os

from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.landlock import PR_SET_NO_NEW_PRIVS
from pageworker_sandbox.confine.syscalls import call, prctl

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1
INSTRUCTION_BYTES = 8
BPF_MAXINSNS = 4096


class SockFprog(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def load(descriptor: int) -> None:
    """Install the BPF program in this file for all threads, and close the file. Raises ConfinementFailed."""
    try:
        code = os.pread(descriptor, (BPF_MAXINSNS + 1) * INSTRUCTION_BYTES, 0)
    finally:
        os.close(descriptor)
    if not code or len(code) % INSTRUCTION_BYTES or len(code) > BPF_MAXINSNS * INSTRUCTION_BYTES:
        raise ConfinementFailed(f"the seccomp filter has {len(code)} bytes, which is no valid length of a BPF program")
    buffer = ctypes.create_string_buffer(code, len(code))
    program = SockFprog(len(code) // INSTRUCTION_BYTES, ctypes.addressof(buffer))
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        thread = call("seccomp", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program)
    except OSError as error:
        raise ConfinementFailed(f"the seccomp filter was not installed: {error}") from error
    if thread:
        raise ConfinementFailed(f"the seccomp filter was not installed: thread {thread} has another filter")
