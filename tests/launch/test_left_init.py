"""The init process that bubblewrap reported is waited for, where this process is its parent."""

import json
import os
from collections.abc import Iterator

import pytest

from pageworker_sandbox.launch.left_init import await_init


@pytest.fixture
def info() -> Iterator[int]:
    """Where bubblewrap writes."""
    descriptor = os.memfd_create("info")
    yield descriptor
    os.close(descriptor)


def test_its_zombie_goes(info: int) -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.write(info, json.dumps({"child-pid": child}).encode())
    await_init(info)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, 0)


def test_what_is_not_ours_or_was_never_started_is_not_waited_for(info: int) -> None:
    await_init(info)
    os.write(info, json.dumps({"child-pid": 1}).encode())
    await_init(info)
