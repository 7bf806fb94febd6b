"""Workers with echo runners on the shared Redis."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_daemon.usual_modules import publish_usual
from pw_servers import RedisServer
from pw_worker import Echoes, echoes


@pytest.fixture(scope="session")
def registry_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A registry with the test modules, and the key to trust."""
    folder = tmp_path_factory.mktemp("echoes") / "registry"
    return folder, publish_usual(folder)


@pytest.fixture
async def worker(live_redis: RedisServer, registry_key: tuple[Path, str]) -> AsyncIterator[Echoes]:
    """With the usual timeouts."""
    async with echoes(live_redis.url, live_redis, registry_key) as opened:
        yield opened
