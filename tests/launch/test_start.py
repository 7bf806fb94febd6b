"""Starting sandboxes: failures say why, and nothing is left of a start that failed or was cancelled."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox import gone, sandboxes

from pageworker_sandbox.launch import Host, LaunchFailed, procfs
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.start import START_SECONDS

pytestmark = pytest.mark.sandbox


async def test_a_sandbox_that_cannot_start_says_why(host: Host, profile: Path) -> None:
    broken = replace(host, python=Path("/nonexistent/python"))
    async with asyncio.timeout(START_SECONDS / 2):
        with pytest.raises(LaunchFailed, match="nonexistent"):
            async with sandboxes.sandbox(broken, sandboxes.spec(profile)):
                pass
    unstaged = replace(host, runner=(*host.runner, Bind(Path("/nonexistent"), Path("/x"))))
    with pytest.raises(LaunchFailed, match="stage the root"):
        async with sandboxes.sandbox(unstaged, sandboxes.spec(profile)):
            pass


async def test_nothing_is_left_open_or_running_here(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        await inside.run("pass")
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
            await inside.run("pass")
            tree = gone.watch(procfs.tree(inside.process.pid))
        assert gone.left(tree, 0.0) == set()
    assert set(os.listdir("/proc/self/fd")) == before


async def test_a_cancelled_start_leaves_nothing(host: Host, profile: Path) -> None:
    before = set(procfs.children(os.getpid()))
    started = asyncio.Event()

    async def begin() -> None:
        started.set()
        async with sandboxes.sandbox(host, sandboxes.spec(profile)):
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(begin())
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
    assert set(procfs.children(os.getpid())) <= before


async def test_another_thread_may_not_start_one(host: Host, profile: Path) -> None:
    spec = sandboxes.spec(profile)

    async def begin() -> None:
        async with sandboxes.sandbox(host, spec):
            pass

    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(asyncio.run, begin())


async def test_root_gives_every_sandbox_a_user(host: Host, profile: Path) -> None:
    spec = replace(sandboxes.spec(profile), uid=None if os.geteuid() == 0 else 12345)
    with pytest.raises(ValueError, match="user of its own"):
        async with sandboxes.sandbox(host, spec):
            pass
