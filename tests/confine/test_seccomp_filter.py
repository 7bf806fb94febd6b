"""Loading a filter into a process, and files that are no filters."""

import os
import struct

import pytest
from pw_sandbox.confined_child import run

from pageworker_sandbox.confine import ConfinementFailed, seccomp_filter

RETURN_ALLOW = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
LOAD_NUMBER = struct.pack("HBBI", 0x20, 0, 0, 0)
RETURN_ERRNO = struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | 99)


def file_with(code: bytes) -> int:
    descriptor = os.memfd_create("filter")
    os.write(descriptor, code)
    return descriptor


@pytest.mark.parametrize("code", [b"", b"x", RETURN_ALLOW[:-1], RETURN_ALLOW * 4097], ids=["empty", "x", "cut", "long"])
def test_a_file_that_is_no_program_is_refused_and_closed(code: bytes) -> None:
    descriptor = file_with(code)
    with pytest.raises(ConfinementFailed, match="bytes"):
        seccomp_filter.load(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_loaded_filter_judges_every_call_from_then_on() -> None:
    from pageworker_sandbox.confine.syscalls import NUMBERS

    if "kill" not in NUMBERS:
        pytest.skip("the number of kill(2) is not known on this architecture")
    compare = struct.pack("HBBI", 0x15, 0, 1, NUMBERS["kill"])
    descriptor = file_with(LOAD_NUMBER + compare + RETURN_ERRNO + RETURN_ALLOW)
    code = f"""
import threading
from pageworker_sandbox.confine import seccomp_filter
ready, go, seen = threading.Event(), threading.Event(), []
def other():
    ready.set(); go.wait(); seen.append(attempt(lambda: os.kill(os.getpid(), 0)))
thread = threading.Thread(target=other); thread.start(); ready.wait()
before = attempt(lambda: os.kill(os.getpid(), 0))
seccomp_filter.load({descriptor})
go.set(); thread.join()
answer = [before, attempt(lambda: os.kill(os.getpid(), 0)), *seen]
"""
    try:
        assert run(code, pass_fds=(descriptor,)) == ["permitted", "EADDRNOTAVAIL", "EADDRNOTAVAIL"]
    finally:
        os.close(descriptor)


def test_a_program_that_the_kernel_refuses_is_an_error() -> None:
    with pytest.raises(ConfinementFailed, match="not installed"):
        seccomp_filter.load(file_with(struct.pack("HBBI", 0x06, 0, 0, 0)[:7] + b"\xff" + b"\xff" * 8))
