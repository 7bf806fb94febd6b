"""How soon clients of one Redis know of a rollback: the rollout client alone, as each worker has one, without runners.

Each watcher has two connections, as a worker does: one that waits for notices, and one that reads the entries.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pw_queue import plain_client

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.wakeup import RolloutNotice
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.rollouts.follower import RolloutFollower
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, encode_entry

MODULE = "shop.product"
NOTICE_SECONDS = 7.0


class RolloutWatcher:
    """One watcher. `knows_at`: when it took each revision, in monotonic seconds."""

    def __init__(self, queue: QueueClient, availability: Availability, name: str, taken: asyncio.Event) -> None:
        """`taken` is set each time when it has taken entries."""
        self._told = taken
        self.knows_at: dict[int, float] = {}
        self._queue = queue
        self._name = name
        self._follower = RolloutFollower(queue.rollouts, availability, self._taken)

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._queue.consumer.register_worker(self._name)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            while True:
                wake = await self._queue.consumer.wait(self._name, NOTICE_SECONDS)
                if any(isinstance(notice, RolloutNotice) for notice in wake.control):
                    self._follower.notice()

    def _taken(self) -> None:
        self.knows_at[self._follower.revision(MODULE)] = time.monotonic()
        self._told.set()


@asynccontextmanager
async def rollout_watchers(
    port: int, count: int, taken: asyncio.Event
) -> AsyncIterator[tuple[QueueClient, Sequence[RolloutWatcher]]]:
    """So many watchers that know the first revision, and the queue that it was written with."""
    async with AsyncExitStack() as stack:
        queues = []
        for _ in range(count + 1):
            clients = plain_client(port), plain_client(port)
            for client in clients:
                stack.push_async_callback(client.aclose)
            queues.append((QueueClient(Router(*clients)), clients[0]))
        writer, _ = queues[0]
        await writer.load()
        assert await writer.rollouts.write(MODULE, 0, encode_entry(RolloutEntry()), b"{}") == 1

        async def nothing() -> None:
            """No watcher loses Redis here."""

        watchers = [
            RolloutWatcher(queue, Availability(nothing), f"watcher-{number}", taken)
            for number, (queue, _) in enumerate(queues[1:])
        ]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(watcher.run()) for watcher in watchers]
            await until_all_know(watchers, 1, taken)
            yield writer, watchers
            for task in running:
                task.cancel()


async def until_all_know(watchers: Sequence[RolloutWatcher], revision: int, taken: asyncio.Event) -> None:
    """Wait until each watcher has taken this revision. Raises TimeoutError."""
    async with asyncio.timeout(60):
        while not all(revision in watcher.knows_at for watcher in watchers):
            taken.clear()
            await taken.wait()


async def delays_of_rollbacks(port: int, watchers: int, rollbacks: int) -> list[float]:
    """Seconds from the return of each write to the moment when each watcher has it, sorted. Those that knew before the
    write returned have 0."""
    delays, taken = [], asyncio.Event()
    async with rollout_watchers(port, watchers, taken) as (writer, watching):
        for revision in range(1, rollbacks + 1):
            entry = RolloutEntry(replaced={"1.1.0": "1.0.0"}, rolled_back=(f"1.1.{revision}",))
            assert await writer.rollouts.write(MODULE, revision, encode_entry(entry), b"{}") == revision + 1
            returned = time.monotonic()
            await until_all_know(watching, revision + 1, taken)
            delays += [max(0.0, each.knows_at[revision + 1] - returned) for each in watching]
    return sorted(delays)


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))]
