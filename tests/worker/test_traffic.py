"""What jobs use of the network, through a worker with echo runners: live, shared, and kept across attempts."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, echoes
from pw_worker.echoes import nap

from pageworker_supervisor.queue.usage import DAY_SECONDS
from pageworker_supervisor.queue.views import JobView

KB = 1000


def usage(worker: Echoes, job_id: str) -> dict[str, Any]:
    found = {**worker.results[job_id]["usage"]}
    del found["page_seconds"]
    return found


async def listed(worker: Echoes, bytes_in: int) -> JobView:
    """The only job, as Redis has it, once it has received `bytes_in`."""
    async with asyncio.timeout(20):
        while not (jobs := (await worker.queue.inspection.jobs()).jobs) or jobs[0].bytes_in < bytes_in:
            await worker.turn()
    return jobs[0]


def used(requests: int) -> dict[str, int]:
    """By jobs that receive 1,000 bytes per request."""
    return {"requests": requests, "bytes_in": requests * KB, "bytes_out": 0}


async def test_all_attempts_together_are_in_the_result(worker: Echoes) -> None:
    await worker.push(nap("fails", 1, "fail", times=2, bytes=3 * KB))
    await worker.answered(1)
    await worker.push(nap("none", 1))
    await worker.answered(2)
    assert (usage(worker, "fails"), len(worker.results["fails"]["attempts"])) == (used(9), 3)
    assert usage(worker, "none") == used(0)
    assert b'pageworker_egress_bytes_total{direction="received",tenant="other"} 9000.0' in worker.metrics()


async def test_a_crash_keeps_what_was_counted_also_for_the_tenant(worker: Echoes) -> None:
    await worker.push(nap("dies", 1, "crash", often=1, bytes=2 * KB))
    await worker.answered(1, 30)
    await worker.push(nap("ends", 1, bytes=KB))
    await worker.answered(2, 30)
    assert (worker.results["dies"]["status"], usage(worker, "dies")) == ("dead", used(6))
    today = int(time.time()) // DAY_SECONDS
    hours = await worker.queue.usage.read("acme", today - 1, 3)
    assert sum(hour.bytes_in for hour in hours) == 7 * KB
    assert sum(hour.requests for hour in hours) == 7
    assert sum((Counter(hour.jobs) for hour in hours), Counter()) == {"dead": 1, "succeeded": 1}
    page_seconds = [worker.results[name]["usage"]["page_seconds"] for name in ("dies", "ends")]
    assert sum(hour.page_seconds for hour in hours) == pytest.approx(sum(page_seconds), abs=0.002)


async def test_a_running_job_is_shown_with_what_it_has_used(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    """By the worker at once, and in Redis from the next heartbeat on."""
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        await worker.push(nap("long", 60_000, bytes=5 * KB))
        await worker.until(lambda: [job.bytes_in for job in worker.worker.status().jobs] == [5 * KB])
        (job,) = json.loads(msgspec.json.encode(worker.worker.status()))["jobs"]
        assert (job["requests"], job["bytes_in"], job["bytes_out"]) == (5, 5 * KB, 0)
        view = await listed(worker, 5 * KB)
        assert (view.requests, view.bytes_in, view.bytes_out) == (5, 5 * KB, 0)


async def test_a_lost_worker_leaves_what_its_last_heartbeat_said(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        await worker.push(nap("moves", 60_000, bytes=5 * KB))
        view = await listed(worker, 5 * KB)
        assert await worker.queue.consumer.disown_worker(view.worker_id or "") == 1
        view = await listed(worker, 10 * KB)
        assert (view.crashes, view.bytes_in) == (1, 10 * KB), "the lost lease and the one that runs"


async def test_jobs_on_one_runner_share_what_it_used_and_nothing_is_lost(worker: Echoes) -> None:
    """Two pages, six jobs, 21,000 bytes."""
    await worker.push(*(nap(f"j{number}", 20, bytes=number * KB) for number in range(1, 7)))
    await worker.answered(6)
    shares = [usage(worker, f"j{number}") for number in range(1, 7)]
    (runner,) = worker.components.fleet.runners.values()
    assert runner.traffic.ledger.unattributed.bytes_in == 0
    assert (sum(share["bytes_in"] for share in shares), sum(share["requests"] for share in shares)) == (21 * KB, 21)
