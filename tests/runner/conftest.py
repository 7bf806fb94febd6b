"""Runners for tests: one per file for tests that leave it usable, a new one for tests that do not."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_runner.supervisor import Supervisor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """A running headless shell with two pages and an ephemeral context."""
    supervisor = await Supervisor(persistent=False).start()
    yield supervisor
    await supervisor.close()


@pytest_asyncio.fixture(loop_scope="module")
async def start() -> AsyncIterator[Callable[..., Awaitable[Supervisor]]]:
    """Starts new runners, which the test may break."""
    started: list[Supervisor] = []

    async def start_new(**given: Any) -> Supervisor:
        started.append(Supervisor(**given))
        return await started[-1].start()

    yield start_new
    for supervisor in started:
        await supervisor.close()


@pytest.fixture
def profile() -> Iterator[Path]:
    """A profile folder that outlives a runner."""
    with tempfile.TemporaryDirectory(prefix="pw_", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
