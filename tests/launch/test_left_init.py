"""No zombie is left of the init process of a sandbox."""

import json
import os

import pytest

from pageworker_sandbox.launch.left_init import await_init


@pytest.fixture
def info() -> int:
    return os.memfd_create("info")


def test_an_init_that_this_process_inherits_is_waited_for(info: int) -> None:
    child = os.posix_spawn("/bin/true", ["true"], os.environ)
    os.pwrite(info, json.dumps({"child-pid": child}).encode(), 0)
    await_init(info)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_there_may_be_none_or_another_process_inherits_it(info: int) -> None:
    await_init(info)
    os.pwrite(info, json.dumps({"child-pid": os.getppid()}).encode(), 0)
    await_init(info)
