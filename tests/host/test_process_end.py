"""A process ends when it is asked to, and is killed if it does not."""

import asyncio
import signal
from asyncio.subprocess import PIPE, Process

from pageworker_supervisor.host.process_end import end_process

DEAF = "trap '' TERM; echo ready; while read -r line; do :; done"


async def shell(script: str) -> Process:
    return await asyncio.create_subprocess_exec("sh", "-c", script, stdin=PIPE, stdout=PIPE)


async def test_it_ends_when_it_is_asked() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    assert await end_process(process, 30.0)
    assert process.returncode == -signal.SIGTERM


async def test_one_that_does_not_is_killed() -> None:
    process = await shell(DEAF)
    assert process.stdout is not None
    await process.stdout.readline()
    assert not await end_process(process, 0.05)
    assert process.returncode == -signal.SIGKILL


async def test_one_that_has_ended_keeps_its_exit_status() -> None:
    process = await shell("exit 3")
    await process.wait()
    assert await end_process(process, 30.0)
    assert process.returncode == 3
