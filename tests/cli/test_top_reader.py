"""Failures that `workerctl top` shows: read from the results, bounded."""

import asyncio
import json

from pw_queue import open_harness
from pw_servers import RedisServer

from pageworker_supervisor.cli.top_reader import FAILURES, TopReader, failure_of
from pageworker_supervisor.redis_client import Router


async def test_failures_are_bounded_and_the_newest_come_first(live_redis: RedisServer) -> None:
    async with asyncio.timeout(30):
        async with open_harness(live_redis.port) as harness:
            source = TopReader(harness.queue, Router(harness.client, harness.client), "pw")
            for number in range(30):
                text = json.dumps(
                    {"job_id": f"j{number}", "tenant_id": "acme", "endpoint_module": "m", "status": "failed"}
                )
                await harness.client.xadd("pw:{0}:results", {"result": text})
            assert [one.job for one in (await source.frame()).failures] == [f"acme/j{29 - n}" for n in range(FAILURES)]
            await harness.client.xadd("pw:{0}:results", {"result": "no result"})
            assert (await source.frame()).failures[0].job == "acme/j29"


def test_a_success_is_no_failure() -> None:
    text = b'{"job_id": "j", "tenant_id": "t", "endpoint_module": "m", "status": "succeeded"}'
    assert failure_of(0.0, text) is None
    found = failure_of(0.0, text.replace(b"succeeded", b"dead"))
    assert found is not None
    assert (found.job, found.status, found.error) == ("t/j", "dead", "")
    assert failure_of(0.0, b'{"data": ' + b"[" * 2000 + b"]" * 2000 + b"}") is None
