"""Starting sandboxes: failures say why, and nothing is left of a start that failed or was cancelled."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox import gone, sandboxes

from pageworker_sandbox.launch import Host, LaunchFailed, procfs
from pageworker_sandbox.launch.cgroup import find_root
from pageworker_sandbox.launch.launch_plan import ProcessLimits
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.start import START_SECONDS, counted_limits

pytestmark = pytest.mark.sandbox


def counts_memory() -> bool:
    root = find_root()
    return root is not None and "memory" in root.controllers


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


@pytest.mark.parametrize(("controllers", "processes", "data"), [((), 7, 10), (("pids",), 23, 10), (("memory",), 7, 20)])
def test_each_process_may_have_more_where_a_cgroup_counts_for_all(
    controllers: tuple[str, ...], processes: int, data: int
) -> None:
    limits = counted_limits(ProcessLimits(10, 7, counted_data=2), controllers)
    assert (limits.processes, limits.data_bytes, limits.memory_bytes) == (processes, data, 10)


@pytest.mark.skipif(not counts_memory(), reason="no memory cgroup may be created here")
async def test_what_is_mapped_is_refused_later_than_what_is_in_use(host: Host, profile: Path) -> None:
    """The kernel reports no refusal by RLIMIT_DATA, so a process reaches the cgroup's limit first."""
    spec = replace(sandboxes.spec(profile), memory_bytes=256 * 1024**2)
    async with sandboxes.sandbox(host, spec) as inside:
        await inside.run("import mmap\nmmap.mmap(-1, 300 << 20, flags=mmap.MAP_PRIVATE).close()")
        assert inside.process.limit_hits().memory == 0
        with pytest.raises((EOFError, ConnectionError)):
            await inside.run("kept = bytearray(300 << 20)\nfor at in range(0, len(kept), 4096): kept[at] = 1")
        assert inside.process.limit_hits().memory > 0


async def test_root_gives_every_sandbox_a_user(host: Host, profile: Path) -> None:
    spec = replace(sandboxes.spec(profile), uid=None if os.geteuid() == 0 else 12345)
    with pytest.raises(ValueError, match="user of its own"):
        async with sandboxes.sandbox(host, spec):
            pass
