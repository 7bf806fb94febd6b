"""The scheduler on a Redis of the bench's, without browser or daemon, and the jobs it is given."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bench.work import PAYLOAD, handled
from pageworker_supervisor.contract.job import Priority
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.claim import Capacity, Lease
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits
from pageworker_supervisor.redis_client import Router

WORKER = "w"
BATCH = 16
"""Jobs in one claim."""
ENQUEUED_AT_ONCE = 512
BODY = json.dumps({"job_id": "", "tenant_id": "", "endpoint_module": "bench.echo", "payload": PAYLOAD}).encode()


def capacity(limit: int = BATCH) -> Capacity:
    """Place for `limit` jobs, of whatever tenants."""
    return Capacity(limit=limit, runner_slots=limit, pages_per_runner=limit)


def ticket(job_id: str, tenant: str, *, weight: float = 1.0, priority: Priority = "normal") -> NewJob:
    """A job of 1 KB."""
    limits = QuotaLimits(weight=weight)
    return NewJob(job_id=job_id, tenant_id=tenant, body=BODY, priority=priority, tenant_limits=limits)


async def enqueue(queue: QueueClient, tickets: Sequence[NewJob]) -> None:
    """Queue them, many at a time."""
    for first in range(0, len(tickets), ENQUEUED_AT_ONCE):
        await queue.producer.enqueue(tickets[first : first + ENQUEUED_AT_ONCE])


async def serve_batch(queue: QueueClient, limit: int = BATCH) -> tuple[Lease, ...]:
    """One claim and its jobs' ends, results included. Returns what was claimed, perhaps nothing."""
    leases = (await queue.consumer.claim(WORKER, capacity(limit))).leases
    if leases:
        await finish(queue, leases)
    return leases


async def finish(queue: QueueClient, leases: Sequence[Lease]) -> None:
    """Do what each asks for, and end them, all at once. No profile is opened, so their locks end with them."""
    await asyncio.gather(
        *(
            queue.consumer.finish(lease, "succeeded", _result(lease), release_profile=lease.profile_lock is not None)
            for lease in leases
        )
    )


async def serve(queue: QueueClient, jobs: int) -> float:
    """Seconds that `jobs` queued jobs take."""
    started, done = time.perf_counter(), 0
    while done < jobs:
        done += len(await serve_batch(queue))
    return time.perf_counter() - started


def _result(lease: Lease) -> bytes:
    return json.dumps(handled(json.loads(lease.body)["payload"])).encode()


@asynccontextmanager
async def opened_client(url: str) -> AsyncIterator[redis.Redis]:
    """One that repeats nothing by itself."""
    client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def opened_queue(url: str) -> AsyncIterator[QueueClient]:
    """An queue of one shard, its functions loaded."""
    async with opened_client(url) as client, opened_client(url) as blocking:
        queue = QueueClient(Router(client, blocking))
        await queue.load()
        yield queue
