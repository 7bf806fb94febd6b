"""Jobs that share a browser context see each other's cookies, and isolated ones do not. Through a whole worker."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

# `hold` keeps its page until another job of its context sets the cookie `release`; `look` reads what is there now.
BODY = """
async def cookies():
    return sorted(cookie["name"] for cookie in await page.context.cookies())

if payload["do"] == "hold":
    await page.context.add_cookies([{"name": "held", "value": "1", "url": "http://shop.test/"}])
    helpers.log.info("held")
    while "release" not in await cookies():
        await asyncio.sleep(0.1)
found = await cookies()
if payload["do"] == "release":
    await page.context.add_cookies([{"name": "release", "value": "1", "url": "http://shop.test/"}])
return {"cookies": found, "runner": context.runner_id}
"""
KINDS = {
    "cart": 'group = "cart"\n',
    "till": 'group = "cart"\n',
    "other": 'group = "other"\n',
    "alone": 'isolation = "job"\n',
}


async def held(daemon: DaemonProcess, job_id: str) -> None:
    """Wait until the job has set its cookie."""
    own = ("module: held", f"acme/{job_id}")
    async with asyncio.timeout(60):
        while own not in {(line["message"], line.get("job")) for line in daemon.log()}:  # noqa: ASYNC110 - a log file
            await asyncio.sleep(0.1)


async def test_a_cookie_is_seen_by_the_group_alone_and_by_no_job_that_is_isolated(tmp_path: Path) -> None:
    modules = [write_module(tmp_path, f"iso.{kind}", BODY, more_toml=line) for kind, line in KINDS.items()]
    async with place(*modules) as here, aclosing(Producer(here.redis.url)) as producer:

        def job(name: str, do: str) -> str:
            return producer.job(name, f"iso.{name.partition('-')[0]}", {"do": do}, max_retries=0, timeout_seconds=200)

        with here.worker(pool={"runners": 4, "pages": 2}, browser=HEADLESS_SHELL) as daemon:
            await producer.push(job("cart-hold", "hold"), job("alone-hold", "hold"))
            await held(daemon, "cart-hold")
            await held(daemon, "alone-hold")
            await producer.push(job("alone-look", "look"), job("other-look", "look"))
            await producer.collect(2, 90)
            await producer.push(job("till-release", "release"))
            await producer.collect(4, 60)
            queue = QueueClient(Router(producer.redis, producer.redis))
            assert await queue.inspection.cancel(JobRef("acme", "alone-hold")) in ("cancelled", "cancelling")
            await producer.collect(5, 60)
            ready = [line for line in daemon.log() if line["message"] == "runner is ready"]
    data = {name: result["data"] for name, result in producer.results.items()}
    assert data["alone-look"]["cookies"] == data["other-look"]["cookies"] == []
    assert (data["till-release"]["cookies"], data["cart-hold"]["cookies"]) == (["held"], ["held", "release"])
    assert data["till-release"]["runner"] == data["cart-hold"]["runner"]
    runners = {result["runner_id"] for result in producer.results.values()}
    assert len(runners) == len(ready) == 4, "each isolated job had a runner of its own"
