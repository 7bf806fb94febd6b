"""An idle worker: how soon it claims a pushed job, and how many commands it sends to Redis while it waits.

The time runs from the LPUSH of a producer, through the worker's own intake, to the claim. The commands are those of a
complete worker with a warm browser.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator

import redis.asyncio as redis
import uvloop

from bench.fixtures import browser, redis_server
from bench.options import Options
from bench.queue_client import WORKER, capacity, finish, opened_client, opened_queue
from bench.rows import BenchRow, percentile
from bench.work import PAYLOAD
from bench.worker import NO_SITE, BenchPlan, prepared, started
from pageworker_supervisor.config.settings import RedisSettings, Settings
from pageworker_supervisor.dispatch.dispatcher import NOTICE_WAIT_SECONDS
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.telemetry.metrics import Metrics

PROBES_PER_PROBE = 5
"""A probe is cheap here, and the p99 of 200 would rest on two values."""
PAUSE_SECONDS = (0.005, 0.02)
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 60.0
"""Four heartbeats and four upkeep rounds of intake: the slowest loops of an idle worker."""
SHARDS = 1


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """The latency rows, then the command rows."""
    milliseconds = [1000 * seconds for seconds in uvloop.run(_latency(PROBES_PER_PROBE * options.probes))]
    yield BenchRow(name="queue.push_to_claim_p50_ms", value=percentile(milliseconds, 0.5), unit="ms")
    yield BenchRow(name="queue.push_to_claim_p99_ms", value=percentile(milliseconds, 0.99), unit="ms")
    sent, within = asyncio.run(_commands())
    yield BenchRow(name="queue.idle_commands_per_second_per_shard", value=sent / SHARDS, unit="commands/s")
    yield BenchRow(name="queue.idle_commands_within_functions_per_second", value=within, unit="commands/s")


async def _latency(probes: int) -> list[float]:
    """Seconds from just before each push until the claim that brings it has returned."""
    pauses, pushed = random.Random(1), dict[str, float]()
    with redis_server() as (url, _):
        settings = Settings(redis=RedisSettings(url=url))
        admission = Admission(settings.tenants, settings.domains, settings.jobs)
        redis_client = connect(settings.redis)
        try:
            async with opened_client(url) as producer, opened_queue(url) as queue, asyncio.TaskGroup() as tasks:
                intake = Intake(redis_client, queue.producer, admission, settings.redis.prefix, WORKER, Metrics())
                taking = tasks.create_task(intake.run())
                claiming = tasks.create_task(_claims(queue, probes))
                for number in range(probes):
                    # The worker is idle, and the pushes are not in step with its timers.
                    await asyncio.sleep(pauses.uniform(*PAUSE_SECONDS))
                    text = json.dumps(_job(number))
                    pushed[f"probe-{number}"] = time.perf_counter()
                    await producer.lpush("pw:inbox", text)
                claimed = await claiming
                taking.cancel()
        finally:
            await redis_client.aclose()
    return [at - pushed[job_id] for job_id, at in claimed.items()]


async def _claims(queue: QueueClient, probes: int) -> dict[str, float]:
    """The time of the claim by job id."""
    claimed: dict[str, float] = {}
    while len(claimed) < probes:
        leases = (await queue.consumer.claim(WORKER, capacity())).leases
        now = time.perf_counter()
        claimed |= {lease.job_id: now for lease in leases}
        if leases:
            await finish(queue, leases)
        else:
            await queue.consumer.wait(WORKER, NOTICE_WAIT_SECONDS)
    return claimed


def _job(number: int) -> dict[str, object]:
    return {
        "job_id": f"probe-{number}",
        "tenant_id": f"t{number % 3}",
        "endpoint_module": "bench.echo",
        "payload": PAYLOAD,
    }


async def _commands() -> tuple[float, float]:
    """Commands per second: those that an idle worker sends, and those that functions run inside Redis for it."""
    with redis_server() as (url, _):
        plan = BenchPlan(url, ("clock",), 4, browser(), NO_SITE)
        async with prepared(plan) as workspace, started(workspace, plan) as bench, opened_client(url) as client:
            await bench.daemon.until_ready()
            await asyncio.sleep(SETTLE_SECONDS)
            return await _count_commands(client)


async def _count_commands(client: redis.Redis) -> tuple[float, float]:
    """Count the commands of connections and of scripts apart, as MONITOR names them."""
    counted = {"tcp": 0, "lua": 0}
    began = time.perf_counter()
    try:
        async with asyncio.timeout(IDLE_SECONDS), client.monitor() as monitor:
            async for command in monitor.listen():
                counted[command["client_type"]] += 1
    except TimeoutError:
        pass
    seconds = time.perf_counter() - began
    return counted["tcp"] / seconds, counted["lua"] / seconds
