"""A sweep that fails does not end the API."""

import asyncio

import pytest

from pageworker_supervisor.files import sweep as sweep_module
from pageworker_supervisor.files.errors import FileStoreAway
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.sweep import run_sweeps


async def test_a_store_that_is_away_is_swept_later(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Queue[float]()

    async def fails(_: FileStore, now: float) -> int:
        asked.put_nowait(now)
        raise FileStoreAway("away")

    monkeypatch.setattr(sweep_module, "sweep", fails)
    monkeypatch.setattr(sweep_module, "SWEEP_SECONDS", 0.001)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run_sweeps(FileStore("file:///x", None, None)))  # type: ignore[arg-type]  # unused
        async with asyncio.timeout(10):
            assert await asked.get() <= await asked.get()
        running.cancel()
