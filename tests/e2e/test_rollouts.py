"""One real rollout each way: a version that fails is rolled back by itself, a good one is promoted by itself."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place
from pw_modules.author import Author, packed

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

NAME = "shop.product"
WORKS = b"async def handler(page, payload, helpers, context):\n    return {'title': await page.title()}\n"
FAILS = b"async def handler(page, payload, helpers, context):\n    await page.click('#price', timeout=1)\n"
SCHEMA: dict[str, Any] = {"type": "object"}


@pytest.fixture
async def shelf() -> AsyncIterator[tuple[Path, str]]:
    """A registry with 1.0.0 in `stable`, 1.1.0 that fails and 1.2.0 that works, and its key."""
    author = Author()
    with tempfile.TemporaryDirectory(prefix="pw-rollouts-") as folder:
        place_ = Path(folder) / "registry"
        for version, channel, code in (("1.0.0", "stable", WORKS), ("1.1.0", "a", FAILS), ("1.2.0", "b", WORKS)):
            await author.publish(place_, packed(NAME, version, code=code, schema=SCHEMA), channel)
        yield place_, author.key.public.line()


async def workerctl(config: Path, *words: str) -> Any:
    """What the command prints as JSON."""
    program = Path(sys.executable).with_name("workerctl")
    command = (str(program), *words, "--config", str(config), "--json")
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await running.communicate()
    assert running.returncode == 0, words
    return json.loads(out)


async def test_a_bad_version_goes_and_a_good_one_comes(shelf: tuple[Path, str]) -> None:
    registry, key = shelf
    settings: dict[str, Any] = {
        "browser": HEADLESS_SHELL,
        "pool": {"runners": 1, "pages": 2},
        "modules": {"registry": str(registry), "trusted_keys": [key]},
        "rollouts": {"least_jobs": 5, "promote_after_seconds": 0.1, "promote_after_jobs": 8},
    }
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(**settings) as daemon:
            pushed = 0

            async def versions(jobs: int) -> list[str]:
                """The versions that so many more jobs get."""
                nonlocal pushed
                names = [f"j{number}" for number in range(pushed, pushed + jobs)]
                pushed += jobs
                await producer.push(*(producer.job(name, NAME, {}, max_retries=0) for name in names))
                await producer.collect(pushed, 60)
                return [producer.results[name]["module_version"] for name in names]

            async def until(state: str) -> Any:
                """Push jobs until the rollout has this state."""
                async with asyncio.timeout(90):
                    stored = ""
                    while f'"state":"{state}"' not in stored:
                        await versions(10)
                        stored = str(await producer.redis.hget("pw:{0}:rollouts", NAME))
                return await workerctl(daemon.config, "module", "status", NAME)

            assert await versions(1) == ["1.0.0"]
            await workerctl(daemon.config, "module", "rollout", NAME, "1.1.0", "--percent", "50")
            back = await until("rolled_back")
            assert back["rolled_back"] == ["1.1.0"]
            assert "e-value" in back["rollout"]["evidence"]
            assert set(await versions(5)) == {"1.0.0"}
            failed = {one["status"] for one in producer.results.values() if one["module_version"] == "1.1.0"}
            assert failed == {"failed"}
            await workerctl(daemon.config, "module", "rollout", NAME, "1.2.0", "--percent", "50")
            assert (await until("promoted"))["replaced"] == {"1.0.0": "1.2.0", "1.1.0": "1.0.0"}
            assert set(await versions(5)) == {"1.2.0"}
            await workerctl(daemon.config, "module", "rollback", NAME)
            returned = time.monotonic()
            while await versions(1) != ["1.0.0"]:
                assert time.monotonic() - returned < 2.0
            assert await versions(1) == ["1.0.0"]
            assert set(producer.stream.values()) == {1}, "one result per job"
