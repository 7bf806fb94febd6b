"""A version that fails its own test is refused and reported by a real runner, and the version before goes on."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place
from pw_modules.author import Author, packed

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

NAME = "shop.product"
GOOD, BAD = "1.0.0", "1.1.0"
WORKS = b"async def handler(page, payload, helpers, context):\n    return {}\n"
FAILS = WORKS + b"\ndef self_test():\n    assert 1 + 1 == 3, 'the prices do not add up'\n"
SCHEMA: dict[str, Any] = {"type": "object"}
JOBS = 4


@pytest.fixture
async def shelf() -> AsyncIterator[tuple[Path, Author]]:
    """A registry with the good version, and its author."""
    author = Author()
    with tempfile.TemporaryDirectory(prefix="pw-load-failures-") as folder:
        await author.publish(Path(folder) / "registry", packed(NAME, GOOD, code=WORKS, schema=SCHEMA))
        yield Path(folder) / "registry", author


async def run(producer: Producer, jobs: int) -> None:
    """Push so many jobs, and wait for their results."""
    number = len(producer.results)
    await producer.push(*(producer.job(f"j{number + each}", NAME, {}) for each in range(jobs)))
    await producer.collect(number + jobs, 120)


async def status(daemon: DaemonProcess) -> Any:
    """What `workerctl module status` prints as JSON."""
    program = Path(sys.executable).with_name("workerctl")
    command = (str(program), "module", "status", NAME, "--config", str(daemon.config), "--json")
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await running.communicate()
    assert running.returncode == 0
    return json.loads(out)


async def test_a_version_that_fails_its_test_is_refused_and_no_job_is_lost(shelf: tuple[Path, Author]) -> None:
    registry, author = shelf
    settings: dict[str, Any] = {
        "browser": HEADLESS_SHELL,
        "pool": {"runners": 1, "pages": 2},
        "modules": {"registry": str(registry), "trusted_keys": [author.key.public.line()], "refresh_seconds": 0.2},
    }
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(**settings) as daemon:
            async with producer.redis.pubsub() as events:
                await events.subscribe("pw:events:_fleet")
                await run(producer, JOBS)
                await author.publish(registry, packed(NAME, BAD, code=FAILS, schema=SCHEMA))
                told: dict[str, Any] = {}
                async with asyncio.timeout(120):
                    while told.get("event") != "module_refused":
                        await run(producer, JOBS)
                        message = await events.get_message(ignore_subscribe_messages=True, timeout=0.1)
                        told = told if message is None else json.loads(message["data"])
                    while not (shown := await status(daemon))["refused"]:
                        pass  # a worker reports within a second
                    await run(producer, JOBS)
            metrics = daemon.get("/metrics").text
    assert {(one["status"], one["module_version"]) for one in producer.results.values()} == {("succeeded", GOOD)}
    assert set(producer.stream.values()) == {1}, "one result per job"
    assert (told["detail"]["version"], told["detail"]["tenant_id"]) == (BAD, "acme")
    assert "the prices do not add up" in told["detail"]["reason"]
    (refused,) = shown["refused"]
    assert (refused["version"], refused["tenant_id"], refused["workers"]) == (BAD, "acme", ["w1"])
    assert "the prices do not add up" in refused["reason"]
    assert "pageworker_module_load_failures_total 1.0" in metrics
