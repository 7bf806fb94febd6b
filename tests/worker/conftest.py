"""Workers with echo runners on the shared Redis."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_daemon.place import MODULES
from pw_servers import RedisServer
from pw_worker import Echoes, echoes

from pageworker_demo.workspace import publish


@pytest.fixture(scope="session")
def registry_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A registry with the test modules, and the key to trust."""
    folder = tmp_path_factory.mktemp("echoes") / "registry"
    key, _ = asyncio.run(publish(sorted(MODULES.iterdir()), folder))
    return folder, key


@pytest.fixture
async def worker(live_redis: RedisServer, registry_key: tuple[Path, str]) -> AsyncIterator[Echoes]:
    """With the usual timeouts."""
    async with echoes(live_redis.url, live_redis, registry_key) as opened:
        yield opened
