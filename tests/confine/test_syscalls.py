"""System calls by number: results, errnos, and the numbers themselves."""

import ctypes
import errno
import os

import pyseccomp
import pytest

from pageworker_sandbox.confine import syscalls


@pytest.mark.parametrize("name", sorted(syscalls.NUMBERS))
def test_every_number_is_the_one_that_libseccomp_has(name: str) -> None:
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    if number < 0:
        pytest.skip(f"this libseccomp does not have {name}")
    assert syscalls.NUMBERS[name] == number


def test_both_architectures_have_the_calls_that_confine_makes() -> None:
    for numbers in (syscalls.X86_64, syscalls.AARCH64):
        assert {"prctl", "seccomp", "execve", "kill", "unshare"} <= set(numbers)


def test_a_result_comes_back() -> None:
    descriptor = syscalls.call("pidfd_open", os.getpid(), 0)
    try:
        assert os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:[pidfd]"  # noqa: PTH115 - a link to no path
    finally:
        os.close(descriptor)


def test_an_errno_becomes_an_os_error_with_the_name_of_the_call() -> None:
    with pytest.raises(OSError, match="pidfd_open") as caught:
        syscalls.call("pidfd_open", -1, 0)
    assert caught.value.errno == errno.EINVAL


def test_a_call_that_the_architecture_lacks_is_not_implemented() -> None:
    with pytest.raises(OSError, match="no_such_call") as caught:
        syscalls.call("no_such_call")
    assert caught.value.errno == errno.ENOSYS


def test_buffers_and_structures_are_passed_by_address() -> None:
    name = ctypes.create_string_buffer(16)
    syscalls.call("prctl", 16, name, 0, 0, 0)  # PR_GET_NAME
    assert name.value
