"""A rollback reaches every worker of three: real daemons with real runners, and the operator's command."""

import asyncio
import datetime as dt
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place
from pw_modules.author import Author, packed

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

NAME = "shop.product"
GOOD, BAD = "1.0.0", "1.1.0"
WORKERS = ("w1", "w2", "w3")
BATCH = 9
FOLLOW_SECONDS = 2.0
"""docs/rollouts.md: in which every worker follows a change."""
CODE = b"""import asyncio

async def handler(page, payload, helpers, context):
    await asyncio.sleep(0.05)
    return {}
"""


@pytest.fixture
async def shelf() -> AsyncIterator[tuple[Path, str]]:
    """A registry whose channel `stable` points to the bad version, and its key."""
    author = Author()
    schema: dict[str, Any] = {"type": "object"}
    with tempfile.TemporaryDirectory(prefix="pw-rollback-") as folder:
        for version in (GOOD, BAD):
            await author.publish(Path(folder) / "registry", packed(NAME, version, code=CODE, schema=schema))
        yield Path(folder) / "registry", author.key.public.line()


class JobStream:
    """Jobs one after the other, so that all workers are busy."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._pushed = 0

    async def until_all_ran(self, version: str, since: float) -> None:
        """Push jobs until each worker has begun one with this version after `since`. Raises TimeoutError."""
        async with asyncio.timeout(120):
            while {worker for worker, ran, _ in self.attempts(since) if ran == version} != {*WORKERS}:
                names = range(self._pushed, self._pushed + BATCH)
                self._pushed += BATCH
                await self._producer.push(*(self._producer.job(f"j{number}", NAME, {}) for number in names))
                await self._producer.collect(self._pushed, 60)

    def attempts(self, since: float = 0.0) -> list[tuple[str, str, float]]:
        """Worker, version and Unix time of the begin, of each attempt that began after `since`."""
        found = [
            (result["worker_id"].partition(".")[0], result["module_version"], began)
            for result in self._producer.results.values()
            if (began := dt.datetime.fromisoformat(result["attempts"][-1]["started_at"]).timestamp()) > since
        ]
        assert {result["status"] for result in self._producer.results.values()} <= {"succeeded"}
        return found


async def roll_back(config: Path) -> float:
    """The command. Returns when it returned, as Unix time."""
    program = Path(sys.executable).with_name("workerctl")
    command = (str(program), "module", "rollback", NAME, "--reason", "prices are missing", "--config", str(config))
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    assert await running.wait() == 0
    return time.time()


async def start(here: DaemonFolder, stack: ExitStack, settings: dict[str, Any]) -> Sequence[DaemonProcess]:
    """Three workers, started at the same time."""
    daemons = [DaemonProcess(here.write_config(name, **settings), here.folder / name) for name in WORKERS]
    for daemon in daemons:
        stack.callback(daemon.kill)
    async with asyncio.TaskGroup() as tasks:
        for daemon in daemons:
            tasks.create_task(asyncio.to_thread(daemon.start))
    return daemons


async def test_a_rollback_reaches_each_of_three_workers(shelf: tuple[Path, str]) -> None:
    registry, key = shelf
    settings: dict[str, Any] = {
        "browser": HEADLESS_SHELL,
        "pool": {"runners": 1, "pages": 1},
        "modules": {"registry": str(registry), "trusted_keys": [key]},
    }
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        with ExitStack() as stack:
            daemons = await start(here, stack, settings)
            jobs = JobStream(producer)
            await jobs.until_all_ran(BAD, since=0.0)
            assert {version for _, version, _ in jobs.attempts()} == {BAD}
            returned = await roll_back(daemons[0].config)
            await jobs.until_all_ran(GOOD, since=returned)
    late = [began - returned for _, version, began in jobs.attempts(returned) if version == BAD]
    assert max(late, default=0.0) <= FOLLOW_SECONDS, late
    assert set(producer.stream.values()) == {1}, "one result per job"
