"""Descriptors that a stack closes."""

import os
from contextlib import ExitStack

import pytest

from pageworker_sandbox.launch.fd_stack import FdStack


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_everything_is_closed_when_the_stack_unwinds() -> None:
    with pytest.raises(KeyError), ExitStack() as stack:
        fds = FdStack(stack)
        opened = [*fds.pipe(), fds.memfd(b"x")]
        assert all(map(is_open, opened))
        raise KeyError
    assert not any(map(is_open, opened))


def test_a_memfd_is_read_from_its_start() -> None:
    with ExitStack() as stack:
        assert os.read(FdStack(stack).memfd(b"words"), 100) == b"words"


def test_a_descriptor_that_was_closed_early_is_not_closed_again() -> None:
    with ExitStack() as stack:
        fds = FdStack(stack)
        early, _ = fds.pipe()
        fds.close(early)
        fds.close(early)
        reused = os.open("/dev/null", os.O_RDONLY)  # takes the number that has become free
        assert reused == early
    assert is_open(reused)
    os.close(reused)
