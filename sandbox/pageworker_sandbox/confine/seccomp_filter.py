"""Loading a compiled seccomp filter into the running process. Source: seccomp(2), linux/filter.h."""

import ctypes
import os

from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.landlock import PR_SET_NO_NEW_PRIVS
from pageworker_sandbox.confine.syscalls import call, prctl

SET_MODE_FILTER = 1
FLAG_TSYNC = 1
INSTRUCTION_BYTES = 8
MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def load(descriptor: int) -> None:
    """Put the BPF program in this file on all threads, and close the file. Raises ConfinementFailed."""
    try:
        code = os.pread(descriptor, (MAX_INSTRUCTIONS + 1) * INSTRUCTION_BYTES, 0)
    finally:
        os.close(descriptor)
    if not code or len(code) % INSTRUCTION_BYTES or len(code) > MAX_INSTRUCTIONS * INSTRUCTION_BYTES:
        raise ConfinementFailed(f"{len(code)} bytes are no BPF program")
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // INSTRUCTION_BYTES, ctypes.addressof(buffer))
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        thread = call("seccomp", SET_MODE_FILTER, FLAG_TSYNC, program)
    except OSError as error:
        raise ConfinementFailed(f"seccomp: {error}") from error
    if thread:
        raise ConfinementFailed(f"seccomp: thread {thread} has another filter")
