"""Runners for tests: one a file for what leaves it usable, a fresh one for what does not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_runner.supervisor import Supervisor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Supervisor]:
    """A running headless shell with two pages and an ephemeral context."""
    supervisor = Supervisor(reachable(tmp_path_factory.mktemp("profile")), persistent=False)
    await supervisor.start()
    yield supervisor
    await supervisor.close()


@pytest_asyncio.fixture(loop_scope="module")
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Supervisor]]]:
    """Starts runners that the test may break."""
    started: list[Supervisor] = []

    async def fresh(**given: Any) -> Supervisor:
        given.setdefault("profile", reachable(tmp_path / f"profile{len(started)}"))
        started.append(Supervisor(**given))
        return await started[-1].start()

    yield fresh
    for supervisor in started:
        await supervisor.close()


def reachable(folder: Path) -> Path:
    """`folder`, with its parents passable for the runner's user: pytest keeps its own to itself."""
    folder.mkdir(parents=True, exist_ok=True)
    for parent in folder.parents:
        if parent.name.startswith(("pytest-", "test_", "profile")):
            parent.chmod(0o711)
    return folder
