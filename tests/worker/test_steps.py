"""Steps of a handler in the result of its job, however it ends; its progress while it runs. On a real Redis."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_supervisor.contract.job import JobRef

MORE = {"jobs": {"retry_base_seconds": 0.01}}


@pytest.fixture
async def quick(live_redis: RedisServer, registry_key: tuple[Path, str]) -> AsyncIterator[Echoes]:
    async with echoes(live_redis.url, live_redis, registry_key, more=MORE) as opened:
        yield opened


async def test_they_are_in_the_result_of_a_success_a_retry_and_of_runners_that_died(quick: Echoes) -> None:
    await quick.push(
        nap("good", 1, steps=["open", "read"]),
        nap("retried", 1, "fail", times=1, steps=["open"]),
        nap("dead", 1, "crash", often=1.0, steps=["open", "die"]),
        nap("none", 1),
    )
    await quick.answered(4, 60)
    found = {
        name: [(step["attempt"], step["number"], step["text"]) for step in result["steps"]]
        for name, result in quick.results.items()
    }
    assert {name: result["status"] for name, result in quick.results.items()} == {
        "good": "succeeded",
        "retried": "succeeded",
        "dead": "dead",
        "none": "succeeded",
    }
    assert found == {
        "good": [(1, 1, "open"), (1, 2, "read")],
        "retried": [(1, 1, "open"), (2, 1, "open")],
        "dead": [(attempt, number, text) for attempt in (1, 2, 3) for number, text in ((1, "open"), (2, "die"))],
        "none": [],
    }


async def test_the_newest_is_an_event_of_the_tenant_and_shown_while_the_job_runs(quick: Echoes) -> None:
    async with quick.client.pubsub() as channel, asyncio.timeout(30):
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        await quick.push(nap("j1", 1, "hold", steps=["open", "pay"]))
        event = json.loads((await anext(heard))["data"])
        details = await quick.queue.inspection.details(JobRef("acme", "j1"))
        quick.components.echo.release()
        await quick.answered(1)
    assert (event["event"], event["job_id"], event["tenant_id"], event["attempt"]) == ("progress", "j1", "acme", 1)
    assert (event["detail"]["number"], event["detail"]["text"]) == (2, "pay")
    assert details is not None
    assert details.progress is not None
    assert details.progress["text"] == "pay"
    assert [step["text"] for step in quick.results["j1"]["steps"]] == ["open", "pay"]
