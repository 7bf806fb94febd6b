"""When a runner is asked for a checkpoint, and what becomes of its answer."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from pw_doubles import any_typed

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import SnapshotStoreAway
from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_supervisor.runners import checkpoints
from pageworker_supervisor.runners.checkpoints import RunnerCheckpoints
from pageworker_supervisor.telemetry.metrics import Metrics


class Asked:
    """A runner, its connection, and the folder of its profile."""

    def __init__(self, seconds: float = 0.001) -> None:
        self.runner = SimpleNamespace(runner_id="r", jobs_done=0)
        self.numbers: asyncio.Queue[int] = asyncio.Queue()
        self.kept: asyncio.Queue[ProfileCheckpoint] = asyncio.Queue()
        self.seconds = seconds
        self.away = False
        self.metrics = Metrics()
        self.checkpoints = RunnerCheckpoints(
            any_typed(SimpleNamespace(take_checkpoint=self.numbers.put)),
            any_typed(SimpleNamespace(keep_checkpoint=self.keep)),
            self.metrics.profiles,
            lambda: self.seconds,
        )

    async def keep(self, checkpoint: ProfileCheckpoint) -> None:
        await self.kept.put(checkpoint)
        if self.away:
            raise SnapshotStoreAway("away")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.checkpoints.run(any_typed(self.runner)))
            yield
            task.cancel()

    def answer(self, data: bytes) -> None:
        descriptor = memfd.seal(data, "checkpoint")
        try:
            self.checkpoints.arrived(descriptor)
        finally:
            os.close(descriptor)

    def counted(self, result: str) -> bool:
        return f'pageworker_profile_checkpoints_total{{result="{result}"}} 1.0' in self.metrics.expose().decode()


async def turns() -> None:
    """Let the task run several intervals."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_it_is_asked_once_for_each_interval_in_which_a_job_has_ended() -> None:
    asked = Asked()
    async with asked.running():
        await turns()
        assert asked.numbers.empty(), "no job has ended"
        asked.runner.jobs_done = 2
        assert await asked.numbers.get() == 2
        await turns()
        assert asked.numbers.empty(), "it has not answered yet"
        asked.answer(b"state")
        kept = await asked.kept.get()
        assert kept.untrusted_data == b"state"
        assert kept.taken_at > 1.7e9
        await turns()
        assert asked.numbers.empty(), "no other job has ended"
        assert asked.counted("stored")
        asked.runner.jobs_done = 3
        assert await asked.numbers.get() == 3


async def test_a_runner_that_could_not_read_its_browser_replaces_nothing() -> None:
    asked = Asked()
    asked.runner.jobs_done = 1
    async with asked.running():
        await asked.numbers.get()
        asked.answer(b"")
        await turns()
    assert asked.kept.empty()
    assert asked.counted("not_taken")


async def test_a_store_that_is_away_does_not_end_the_runner() -> None:
    asked = Asked()
    asked.away = True
    async with asked.running():
        for number in (1, 2):
            asked.runner.jobs_done = number
            assert await asked.numbers.get() == number
            asked.answer(b"state")
            await asked.kept.get()
            asked.away = False
        await turns()
    assert asked.counted("not_stored")
    assert asked.counted("stored")


async def test_the_interval_is_hot_and_zero_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LOOK_SECONDS", 0.001)
    asked = Asked(seconds=0)
    asked.runner.jobs_done = 1
    async with asked.running():
        await turns()
        assert asked.numbers.empty()
        asked.seconds = 0.001
        assert await asked.numbers.get() == 1


async def test_only_a_sealed_memfd_of_the_permitted_size_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()
    descriptor = memfd.create("unsealed")
    with pytest.raises(ProtocolViolation, match="seals"):
        asked.checkpoints.arrived(descriptor)
    os.close(descriptor)
    monkeypatch.setattr(m, "MAX_CHECKPOINT_BYTES", 3)
    with pytest.raises(ProtocolViolation, match="at most 3"):
        asked.answer(b"four")
