"""Makes the test's process inherit orphans, as the first process of a container does."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2)."""


@contextmanager
def inherits_orphans() -> Iterator[None]:
    """For the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        assert libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
