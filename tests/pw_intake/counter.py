"""A Redis with a queue behind the counter: push, let intakes run, count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pw_queue.words import DONE, everything, finish_all

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.dead_letters import DeadLetter
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.telemetry.metrics import Metrics
from pw_intake.pushing import ADMISSION, QUICK

# In one step: texts move from list to list.
WAITING_TEXTS = """
local count = redis.call('LLEN', KEYS[1])
local taken, tenants = redis.call('KEYS', '{pw:inbox}:*processing:*'), redis.call('KEYS', 'pw:inbox:*')
for _, name in ipairs(tenants) do
  taken[#taken + 1] = name
end
for _, name in ipairs(taken) do
  count = count + redis.call('LLEN', name)
end
return count
"""


class Counter:
    """`redis_client` and `queue` see Redis as it is, without a proxy in between."""

    def __init__(self, redis_client: RedisClient, queue: QueueClient) -> None:
        self.redis_client = redis_client
        self.queue = queue

    async def push(self, *texts: bytes) -> None:
        """As n8n with *tail* does it."""
        await self.redis_client.send("RPUSH", "pw:inbox", *texts, key="pw:inbox")

    async def push_to(self, tenant: str, *texts: bytes) -> None:
        """To the list of a tenant."""
        key = f"pw:inbox:{tenant}"
        await self.redis_client.send("RPUSH", key, *texts, key=key)

    async def add_to(self, tenant: str, *texts: bytes, field: str = "job") -> None:
        """To the stream of a tenant."""
        key = f"pw:jobs:{tenant}"
        await self.redis_client.send_together([("XADD", key, "*", field, text) for text in texts], key=key)

    async def add(self, *texts: bytes, field: str = "job") -> None:
        """As other producers do it."""
        await self.redis_client.send_together([("XADD", "pw:jobs", "*", field, text) for text in texts], key="pw:jobs")

    async def jobs(self) -> int:
        """Number of jobs that the queue holds."""
        return sum(stats.queued + stats.delayed for stats in await self.queue.inspection.stats())

    async def reached(self, jobs: int) -> None:
        """Wait until the queue holds this many jobs; never more."""
        async with asyncio.timeout(20):
            while (found := await self.jobs()) < jobs:
                await self.turn()
        assert found == jobs

    async def turn(self) -> None:
        """A look at Redis from outside has no event to wait for: the pause between two looks."""
        await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Wait until no text is in transit: neither pushed, nor taken, nor pending."""
        async with asyncio.timeout(20):
            while await self.on_the_way():
                await self.turn()

    async def on_the_way(self) -> int:
        """Number of pushed texts that are neither in the queue nor dead letters yet."""
        lists = await self.redis_client.send("EVAL", WAITING_TEXTS, 1, "pw:inbox", key="pw:inbox")
        streams = await self.redis_client.send("KEYS", "pw:jobs*", key="pw:jobs")
        return int(lists + sum([await self.redis_client.send("XLEN", key, key="pw:jobs") for key in streams]))

    async def order(self) -> list[str]:
        """The queued job ids, in the order in which they are claimed."""
        ids: list[str] = []
        while leases := (await self.queue.consumer.claim("reader", everything())).leases:
            ids += [lease.job_id for lease in leases]
            assert await finish_all(self.queue.consumer, leases, DONE)
        return ids

    async def letters(self) -> list[DeadLetter]:
        """The dead letters."""
        return list((await self.queue.dead_letters.page()).letters)

    @asynccontextmanager
    async def intake(
        self,
        worker_id: str = "w1",
        redis_client: RedisClient | None = None,
        timing: IntakeTimeouts = QUICK,
        admission: Admission = ADMISSION,
    ) -> AsyncIterator[Intake]:
        """An intake that runs for the block."""
        through = redis_client or self.redis_client
        queue = QueueClient(through)
        opened = Intake(through, queue.producer, admission, "pw", worker_id, Metrics(), timing)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(through.availability.run())
            running = tasks.create_task(opened.run())
            yield opened
            running.cancel()
            watching.cancel()


@asynccontextmanager
async def open_counter(url: str) -> AsyncIterator[Counter]:
    """A counter on the Redis at this URL."""
    async with open_redis_client(RedisSettings(url=url), Path("/nonexistent")) as redis_client:
        queue = QueueClient(redis_client)
        await queue.load()
        yield Counter(redis_client, queue)
