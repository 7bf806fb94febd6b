"""How soon clients of one Redis know of a rollback: the rollout client alone, as each worker has one, without runners.

Each watcher has two connections, as a worker does: one that waits for notices, and one that reads the entries. Watchers
run in processes of their own: beside them, the writer would see the return of its own call late.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from pw_queue import plain_client

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.wakeup import RolloutNotice
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.rollouts.follower import RolloutFollower
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, encode_entry
from pageworker_supervisor.telemetry import log

MODULE = "shop.product"
NOTICE_SECONDS = 7.0
KNOWN_SECONDS = 60.0


class TakenRevision(Struct, frozen=True):
    """A line of a process of watchers: all of them have this revision, each since a moment in monotonic seconds."""

    revision: int
    known_at: tuple[float, ...]


class RolloutWatcher:
    """One watcher. `knows_at`: when it took each revision, in monotonic seconds."""

    def __init__(self, queue: QueueClient, availability: Availability, name: str, taken: Callable[[], None]) -> None:
        """`taken` is called each time when it has taken entries."""
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
        self.knows_at.setdefault(self._follower.revision(MODULE), time.monotonic())
        self._told()


@asynccontextmanager
async def _queue_client(port: int) -> AsyncIterator[QueueClient]:
    async with AsyncExitStack() as stack:
        clients = plain_client(port), plain_client(port)
        for client in clients:
            stack.push_async_callback(client.aclose)
        yield QueueClient(Router(*clients))


async def watch(port: int, names: Sequence[str]) -> None:
    """Watch by these names, and print a TakenRevision as each one is known to all. Until cancelled."""
    watchers: list[RolloutWatcher] = []
    told = 0

    def taken() -> None:
        nonlocal told
        while all(told + 1 in watcher.knows_at for watcher in watchers):
            told += 1
            known = tuple(watcher.knows_at[told] for watcher in watchers)
            print(msgspec.json.encode(TakenRevision(told, known)).decode(), flush=True)

    async def nothing() -> None:
        """No watcher loses Redis here."""

    async with AsyncExitStack() as stack:
        for name in names:
            queue = await stack.enter_async_context(_queue_client(port))
            watchers.append(RolloutWatcher(queue, Availability(nothing), name, taken))
        async with asyncio.TaskGroup() as tasks:
            for watcher in watchers:
                tasks.create_task(watcher.run())


@asynccontextmanager
async def _processes(port: int, watchers: int, processes: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """The output of so many processes, which share the watchers."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    async with AsyncExitStack() as stack:
        outputs = []
        for number in range(processes):
            names = [f"watcher-{each}" for each in range(number, watchers, processes)]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "rollouts.watchers", str(port), *names),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            outputs.append(process.stdout)
        yield outputs


async def _known(outputs: Sequence[asyncio.StreamReader], revision: int) -> list[float]:
    """When each watcher took this revision. Raises TimeoutError."""
    known: list[float] = []
    async with asyncio.timeout(KNOWN_SECONDS):
        for output in outputs:
            line = msgspec.json.decode(await output.readline(), type=TakenRevision)
            assert line.revision == revision
            known += line.known_at
    return known


async def delays_of_rollbacks(port: int, watchers: int, rollbacks: int, processes: int, others: int) -> list[float]:
    """Seconds from the return of each write to the moment when each watcher has it, sorted. Those that knew before the
    write returned have 0. `others`: modules that have an entry too."""
    delays = []
    async with _queue_client(port) as writer:
        await writer.load()
        for number in range(others):
            other = RolloutEntry(replaced={"1.1.0": "1.0.0"}, rolled_back=("1.1.0",))
            assert await writer.rollouts.write(f"other.m{number}", 0, encode_entry(other), b"{}") == 1
        assert await writer.rollouts.write(MODULE, 0, encode_entry(RolloutEntry()), b"{}") == 1
        async with _processes(port, watchers, processes) as outputs:
            await _known(outputs, 1)
            for revision in range(1, rollbacks + 1):
                entry = RolloutEntry(replaced={"1.1.0": "1.0.0"}, rolled_back=(f"1.1.{revision}",))
                assert await writer.rollouts.write(MODULE, revision, encode_entry(entry), b"{}") == revision + 1
                returned = time.monotonic()
                delays += [max(0.0, at - returned) for at in await _known(outputs, revision + 1)]
    return sorted(delays)


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    log.remove()  # each watcher would log each change
    asyncio.run(watch(int(sys.argv[1]), sys.argv[2:]))
