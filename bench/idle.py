"""An idle worker: how soon it has a job in hand that is pushed, and what its waiting costs Redis.

The way of a job begins with the LPUSH of a producer and goes through the worker's own intake; its end is the claim.
What idleness costs is measured on a whole worker, every loop of it, with a warm browser.
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
from pageworker_supervisor.dispatch.notifications import WAIT_SECONDS
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.telemetry.metrics import Metrics

PROBES_PER_PROBE = 5
"""Cheap ones: a p99 of 200 would rest on two."""
PAUSE_SECONDS = (0.005, 0.02)
SETTLING_SECONDS = 5.0
IDLE_SECONDS = 60.0
"""Four heartbeats, and four rounds of intake's upkeep: the slowest that an idle worker does."""
SHARDS = 1


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """Latency, then commands."""
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
                intake = Intake(redis_client, queue, admission, settings.redis.prefix, WORKER, Metrics())
                taking = tasks.create_task(intake.run())
                claiming = tasks.create_task(_claims(queue, probes))
                for number in range(probes):
                    # Idle, and not in step with anything that ticks.
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
    """Job to when it was in hand."""
    claimed: dict[str, float] = {}
    while len(claimed) < probes:
        leases = (await queue.consumer.claim(WORKER, capacity())).leases
        now = time.perf_counter()
        claimed |= {lease.job_id: now for lease in leases}
        if leases:
            await finish(queue, leases)
        else:
            await queue.consumer.wait(WORKER, WAIT_SECONDS)
    return claimed


def _job(number: int) -> dict[str, object]:
    return {
        "job_id": f"probe-{number}",
        "tenant_id": f"t{number % 3}",
        "endpoint_module": "bench.echo",
        "payload": PAYLOAD,
    }


async def _commands() -> tuple[float, float]:
    """Commands a second that a whole idle worker sends, and that the functions among them run within Redis."""
    with redis_server() as (url, _):
        plan = BenchPlan(url, ("clock",), 4, browser(), NO_SITE)
        async with prepared(plan) as stage, started(stage, plan) as bench, opened_client(url) as client:
            await bench.daemon.until_ready()
            await asyncio.sleep(SETTLING_SECONDS)
            return await _watch(client)


async def _watch(client: redis.Redis) -> tuple[float, float]:
    """MONITOR tells what came over a connection from what a script or function did."""
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
