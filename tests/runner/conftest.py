"""Runners for tests: one a file for what leaves it usable, a fresh one for what does not."""

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
    """Starts runners that the test may break."""
    started: list[Supervisor] = []

    async def fresh(**given: Any) -> Supervisor:
        started.append(Supervisor(**given))
        return await started[-1].start()

    yield fresh
    for supervisor in started:
        await supervisor.close()


@pytest.fixture
def profile() -> Iterator[Path]:
    """A profile that outlives its runner."""
    with tempfile.TemporaryDirectory(prefix="pw_", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
