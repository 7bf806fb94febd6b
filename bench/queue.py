"""The queue alone, no browser: what fairness, limits, leases and fencing cost against a bare stream consumer.

Ours claims sixteen jobs and finishes sixteen, with results, permits and fencing. `raw` is a hand-written loop over
XREADGROUP with results kept for an hour: as fast as a Redis stream can be read from Python, and no more than that.
Both move the same bytes through the same Redis, in turns.
"""

import asyncio
import itertools
import json
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import redis.asyncio as redis
import uvloop
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bench.ground import redis_server
from bench.options import Options
from bench.rows import Row, compared, percentile
from pageworker_supervisor.engine import Engine
from pageworker_supervisor.engine.types import Capacity, Ending, Ticket

BATCH = 16
JOBS = 6_000
"""A round."""
TENANTS = 100
PAYLOAD = {"url": "http://example.test/item", "fill": "x" * 950}
RESULT = json.dumps({"ok": True, "body": "y" * 175}).encode()
DONE = Ending(status="succeeded", result=RESULT)
ROOM = Capacity(limit=BATCH, rooms=BATCH, pages_per_room=BATCH)

BACKLOG = int(os.environ.get("BENCH_BACKLOG", "1000000"))
BACKLOG_TENANTS = 10_000
SMALL = 1_000
BACKLOG_JOBS = 8_000
"""Claimed and finished on each side, in slices that take turns."""
SLICE = 200

PAUSE_SECONDS = (0.005, 0.02)
IDLE_SECONDS = 10.0


def rows(options: Options = Options()) -> Iterator[Row]:
    """All rows of the queue."""
    yield from uvloop.run(_throughput(options.rounds))
    yield from uvloop.run(_latency(options.probes))
    yield from uvloop.run(_backlog())


async def _throughput(rounds: int) -> list[Row]:
    ours, raw = [], []
    with redis_server() as (url, _):
        async with _client(url) as client, _engine(url) as engine:
            for number in range(rounds):
                await client.flushdb()
                raw.append(await _raw(client, JOBS))
                await client.flushdb()
                await _enqueue(engine, range(JOBS), TENANTS, f"r{number}-")
                ours.append(JOBS / await _serve(engine, JOBS))
    return [compared("queue.jobs_per_second", "jobs/s", "raw stream consumer", ours, raw)]


async def _raw(client: redis.Redis, jobs: int) -> float:
    text = json.dumps(PAYLOAD)
    for _ in range(0, jobs, 500):
        async with client.pipeline(transaction=False) as pipe:
            for _ in range(500):
                pipe.xadd("q", {"d": text})
            await pipe.execute()
    await client.xgroup_create("q", "g", "0")
    started, done = time.perf_counter(), 0
    while done < jobs:
        for _, messages in await client.xreadgroup("g", "c", {"q": ">"}, count=100):
            async with client.pipeline(transaction=False) as pipe:
                for entry, fields in messages:
                    json.loads(fields[b"d"])
                    pipe.set(b"result:" + entry, RESULT, ex=3600)
                    pipe.xack("q", "g", entry)
                    pipe.xdel("q", entry)
                await pipe.execute()
            done += len(messages)
    return jobs / (time.perf_counter() - started)


async def _serve(engine: Engine, jobs: int) -> float:
    """Seconds for so many jobs."""
    started, done = time.perf_counter(), 0
    while done < jobs:
        leases = (await engine.claim("w", ROOM)).leases
        for lease in leases:
            json.loads(lease.body)
        await engine.finish_many([(lease, DONE) for lease in leases])
        done += len(leases)
    return time.perf_counter() - started


async def _latency(probes: int) -> list[Row]:
    """From just before an enqueue to the claim of an idle worker in hand; then what idleness costs."""
    pauses, found = random.Random(1), []
    with redis_server() as (url, _):
        async with _client(url) as client, _engine(url) as worker, _engine(url) as sender:
            pushed: dict[str, float] = {}

            async def work() -> None:
                while len(found) < probes:
                    leases = (await worker.claim("w", ROOM)).leases
                    found.extend(time.perf_counter() - pushed[lease.job_id] for lease in leases)
                    await worker.finish_many([(lease, DONE) for lease in leases])
                    if not leases:
                        await worker.wait("w", 5.0)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(work())
                for number in range(probes):
                    # Idle, and not in step with anything that ticks.
                    await asyncio.sleep(pauses.uniform(*PAUSE_SECONDS))
                    pushed[f"p{number}"] = time.perf_counter()
                    await sender.enqueue([_ticket(f"p{number}", f"t{number % 3}")])
            commands = await _idle_commands(client, worker)
    milliseconds = [1000 * seconds for seconds in found]
    return [
        Row(name="queue.push_to_claim_p50_ms", value=percentile(milliseconds, 0.5), unit="ms"),
        Row(name="queue.push_to_claim_p99_ms", value=percentile(milliseconds, 0.99), unit="ms"),
        Row(name="queue.idle_commands_per_second", value=commands, unit="commands/s"),
    ]


async def _idle_commands(client: redis.Redis, engine: Engine) -> float:
    """Commands that an idle worker sends, counted by Redis, those inside functions included."""
    before = (await client.info("stats"))["total_commands_processed"]
    started = time.perf_counter()
    while time.perf_counter() - started < IDLE_SECONDS:
        await engine.claim("w", ROOM)
        await engine.wait("w", 5.0)
    after = (await client.info("stats"))["total_commands_processed"]
    return float((after - before - 1) / (time.perf_counter() - started))


async def _backlog() -> list[Row]:
    """A small and a huge backlog take turns, so that a slow minute of the host hits both alike."""
    async with AsyncExitStack() as stack:
        sides: list[tuple[redis.Redis, Engine]] = []
        for _ in range(2):
            url, _ = stack.enter_context(redis_server())
            client = await stack.enter_async_context(_client(url))
            # Rewriting a file of gigabytes beside it is not what is measured.
            await client.config_set("appendonly", "no")
            sides.append((client, await stack.enter_async_context(_engine(url))))
        (small_client, small), (huge_client, huge) = sides
        await small_client.ping()
        before = (await huge_client.info("memory"))["used_memory"]
        await _enqueue(huge, range(BACKLOG), BACKLOG_TENANTS)
        used = (await huge_client.info("memory"))["used_memory"] - before
        names = (f"small-{number}" for number in itertools.count())
        await small.enqueue([_ticket(name, f"t{n % 10}") for n, name in zip(range(SMALL), names, strict=False)])
        huge_rates, small_rates = [], []
        for _ in range(0, BACKLOG_JOBS, SLICE):
            small_rates.append(SLICE / await _serve(small, SLICE))
            huge_rates.append(SLICE / await _serve(huge, SLICE))
            await small.enqueue([_ticket(name, f"t{n % 10}") for n, name in zip(range(SLICE), names, strict=False)])
    return [
        compared(
            "queue.huge_backlog_jobs_per_second",
            "jobs/s",
            f"{SMALL} jobs queued instead of {BACKLOG}",
            huge_rates,
            small_rates,
        ),
        Row(name="queue.bytes_per_queued_job", value=used / BACKLOG - len(_BODY), unit="bytes"),
    ]


_BODY = json.dumps({"job_id": "", "tenant_id": "", "endpoint_module": "bench.echo", "payload": PAYLOAD}).encode()


def _ticket(job_id: str, tenant: str) -> Ticket:
    return Ticket(job_id=job_id, tenant_id=tenant, body=_BODY)


async def _enqueue(engine: Engine, numbers: range, tenants: int, prefix: str = "job-") -> None:
    for first in range(numbers.start, numbers.stop, 512):
        batch = range(first, min(numbers.stop, first + 512))
        await engine.enqueue([_ticket(f"{prefix}{n:012d}", f"tenant-{n % tenants}") for n in batch])


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[redis.Redis]:
    client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[Engine]:
    async with _client(url) as client, _client(url) as blocking:
        engine = Engine(client, blocking)
        await engine.load()
        yield engine
