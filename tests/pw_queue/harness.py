"""A queue on a real Redis whose clock is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, get_args

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.claim import Capacity, Lease
from pageworker_supervisor.queue.functions import packed
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import Router
from pw_queue.words import DONE, everything, finish_all

LATE_MS = 10**6

LeaseEnd = Literal["finish", "retry", "defer", "requeue", "reassign", "crash"]
"""The calls by which a worker ends a lease."""
LEASE_ENDS: tuple[LeaseEnd, ...] = get_args(LeaseEnd)


def plain_client(port: int) -> redis.Redis:
    """One that repeats nothing by itself."""
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), socket_timeout=None)


class QueueHarness:
    """`queue`, its parts, `client`, and what tests do with them again and again."""

    def __init__(self, queue: QueueClient, client: Any) -> None:
        self.queue = queue
        self.producer = queue.producer
        self.consumer = queue.consumer
        self.inspection = queue.inspection
        self.dead_letters = queue.dead_letters
        self.outbox = queue.outbox
        self.client = client
        self.ahead = 0
        self._stopped_ms: int | None = None

    async def stop_clock(self) -> None:
        """From now on, time passes only by `later`."""
        if self._stopped_ms is None:
            seconds, microseconds = await self.client.time()
            self._stopped_ms = seconds * 1000 + microseconds // 1000
            await self.later(0)

    async def later(self, milliseconds: int) -> None:
        """Time passes on every shard. Below 0: the clock is set back."""
        self.ahead += milliseconds
        clock = self.ahead if self._stopped_ms is None else f"={self._stopped_ms + self.ahead}"
        for shard in range(self.queue.shards):
            await self.client.set(f"{self.queue.prefix}:{{{shard}}}:clock", clock)

    def function_call(self, name: str, /, **request: Any) -> tuple[str, int, str, bytes]:
        """What `fcall` of a Redis client takes, for the first shard."""
        return self.queue.function(name), 1, f"{self.queue.prefix}:{{0}}", packed(**request)

    async def take(self, worker: str = "w1", capacity: Capacity | None = None) -> list[Lease]:
        """Claim; by default everything there is."""
        return list((await self.consumer.claim(worker, capacity or everything())).leases)

    async def one(self, worker: str = "w1", capacity: Capacity | None = None) -> Lease:
        """Claim exactly one."""
        (lease,) = await self.take(worker, capacity or everything(1))
        return lease

    async def finish(self, leases: list[Lease]) -> None:
        """End them all well."""
        assert await finish_all(self.consumer, leases)

    async def end(self, lease: Lease, call: LeaseEnd, times: int = 1) -> None:
        """End the lease by this call of the consumer, which accepts it each time. Jobs that it puts back are late."""
        for _ in range(times):
            match call:
                case "finish":
                    accepted = await self.consumer.finish(lease, **DONE)
                case "retry":
                    accepted = await self.consumer.retry(lease, LATE_MS, b"{}")
                case "crash":
                    accepted = await self.consumer.crash(lease, LATE_MS, b"{}")
                case "defer":
                    accepted = await self.consumer.defer(lease, LATE_MS, "")
                case "requeue":
                    accepted = await self.consumer.requeue(lease)
                case "reassign":
                    accepted = await self.consumer.reassign(lease, lease.context)
            assert accepted, call

    async def drain(self, worker: str = "w1", capacity: Capacity | None = None) -> list[str]:
        """Claim and finish until nothing comes; the job ids in the order in which they came."""
        order: list[str] = []
        while leases := await self.take(worker, capacity):
            await self.finish(leases)
            order += [lease.job_id for lease in leases]
        return order

    async def results(self) -> list[bytes]:
        """What is on the result streams."""
        return [
            fields[b"result"]
            for shard in range(self.queue.shards)
            for _, fields in await self.client.xrange(f"{self.queue.prefix}:{{{shard}}}:results")
        ]


@asynccontextmanager
async def open_harness(
    port: int, *, prefix: str = "pw", shards: int = 1, **options: Any
) -> AsyncIterator[QueueHarness]:
    """A harness on the server at this port, its functions loaded."""
    client, blocking = plain_client(port), plain_client(port)
    queue = QueueClient(
        Router(client, blocking), prefix=prefix, shards=shards, options=QueueOptions(test_clock=True, **options)
    )
    await queue.load()
    try:
        yield QueueHarness(queue, client)
    finally:
        await client.aclose()
        await blocking.aclose()


async def blocked(client: Any, count: int) -> None:
    """Until `count` connections are blocked."""
    await wait_until(client, "clients", lambda info: info["blocked_clients"] >= count)


async def wait_until(client: Any, section: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Until INFO says so. Raises TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not holds(await client.info(section)):
            # Redis sends no notice when this changes; INFO is the only way to see it.
            pass
