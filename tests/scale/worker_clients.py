"""One process of workers without runners: `python -m scale.worker_clients PLAN`.

Each has the product's own clients of Redis, with their connections: intake, claims, notices, heartbeats, reports and
the reaper. In place of a runner it sleeps. The process ends when its stdin does, and then prints a ClientsReport.
"""

import asyncio
import gc
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec
import uvloop
from msgspec import Struct
from pw_worker.reports import worker_report

from pageworker_supervisor.config.settings import RedisSettings, Settings
from pageworker_supervisor.dispatch.reaper import reap
from pageworker_supervisor.fleet_member import REPORT_SECONDS
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.claim import Capacity, Lease
from pageworker_supervisor.redis_client import RedisClient, connect
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

HEARTBEATS_PER_LEASE = 3
NOTICE_SECONDS = 7.5
STARTED_TOGETHER = 25
"""Workers per process that connect at once."""
RESULT = msgspec.json.encode({"data": "x" * 1000})


class ClientsPlan(Struct, frozen=True):
    """`url`: of Redis, with `shards`. Workers `first` to `last`, each with so many pages. A job holds its page for
    `seconds`, half as long to half as much again."""

    url: str
    shards: int
    first: int
    last: int
    pages: int
    seconds: float


class ClientsReport(Struct, frozen=True):
    """Seconds that jobs waited for their page, by tenant. `lost`: leases that were lost."""

    waits: dict[str, list[float]]
    lost: int
    late_seconds: float
    """How late the event loop was at worst since the first job: that is the fault of the machine, not of Redis."""


class ScaleWorker:
    """One worker without runners."""

    def __init__(self, name: str, plan: ClientsPlan, redis_client: RedisClient, metrics: Metrics) -> None:
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.lost = 0
        self._name = name
        self._plan = plan
        self._redis_client = redis_client
        self._queue = QueueClient(redis_client, shards=plan.shards)
        self._metrics = metrics
        self._leases: dict[str, Lease] = {}
        self.registered = asyncio.Event()
        self._work = asyncio.Event()
        self._served = redis_client.availability.retry_until_available

    async def run(self) -> None:
        """Work until cancelled."""
        settings = Settings()
        admission = Admission(settings.tenants, settings.domains, settings.jobs)
        consumer, availability = self._queue.consumer, self._redis_client.availability
        intake = Intake(self._redis_client, self._queue.producer, admission, "pw", self._name, self._metrics)
        async with asyncio.TaskGroup() as tasks:
            # First: a call that has failed is repeated once this task has found Redis again.
            tasks.create_task(availability.run())
            await self._served(lambda: consumer.register_worker(self._name))
            self.registered.set()
            for each in (intake.run(), reap(consumer, availability)):
                tasks.create_task(each)
            tasks.create_task(self._claim(tasks))
            tasks.create_task(self._listen())
            tasks.create_task(self._beat())
            tasks.create_task(self._report())

    async def _claim(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._work.clear()
            free = self._plan.pages - len(self._leases)
            taken = 0
            if free:
                capacity = Capacity(limit=free, runner_slots=free)
                leases = (await self._served(partial(self._queue.consumer.claim, self._name, capacity))).leases
                taken = len(leases)
                for lease in leases:
                    self._leases[lease.token] = lease
                    tasks.create_task(self._serve(lease))
            if not taken:
                await self._work.wait()

    async def _serve(self, lease: Lease) -> None:
        self.waits[lease.tenant_id].append(lease.queued_seconds)
        await self._served(lambda: self._queue.consumer.begin(lease))
        await asyncio.sleep(self._plan.seconds * random.uniform(0.5, 1.5))
        if not await self._served(lambda: self._queue.consumer.finish(lease, "succeeded", RESULT)):
            self.lost += 1
        del self._leases[lease.token]
        self._work.set()

    async def _listen(self) -> None:
        while True:
            wake = await self._served(lambda: self._queue.consumer.wait(self._name, NOTICE_SECONDS), self._work.set)
            if wake.work:
                self._work.set()

    async def _beat(self) -> None:
        every = self._queue.consumer.lease_ms / 1000 / HEARTBEATS_PER_LEASE
        await asyncio.sleep(every * random.random())
        while True:
            leases = list(self._leases.values())
            await self._served(partial(self._queue.consumer.heartbeat, self._name, leases))
            await asyncio.sleep(every)

    async def _report(self) -> None:
        await asyncio.sleep(REPORT_SECONDS * random.random())
        while True:
            report = worker_report(self._name.partition(".")[0], pages=self._plan.pages, jobs_running=len(self._leases))
            await self._served(partial(self._queue.workers.report, report))
            await asyncio.sleep(REPORT_SECONDS)


@asynccontextmanager
async def _workers(plan: ClientsPlan) -> AsyncIterator[list[ScaleWorker]]:
    settings = RedisSettings(url=plan.url, shards=plan.shards)
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        found = []
        for number in range(plan.first, plan.last):
            redis_client = connect(settings)
            stack.push_async_callback(redis_client.aclose)
            found.append(ScaleWorker(f"w{number}.1", plan, redis_client, metrics))
        yield found


async def _until_stdin_ends() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def main(plan: ClientsPlan) -> ClientsReport:
    """Run them until stdin ends."""
    late = 0.0

    async def watch_lateness() -> None:
        nonlocal late
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.1)
            if any(worker.waits for worker in workers):  # to start hundreds of workers at once takes seconds
                late = max(late, time.monotonic() - before - 0.1)

    async with _workers(plan) as workers, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(watch_lateness())]
        for first in range(0, len(workers), STARTED_TOGETHER):
            group = workers[first : first + STARTED_TOGETHER]
            running += [tasks.create_task(worker.run()) for worker in group]
            await asyncio.gather(*(worker.registered.wait() for worker in group))
        # A garbage collection scans the clients of all workers. They stop while it scans. A run is short, so the memory
        # that is not collected does not matter.
        gc.disable()
        await _until_stdin_ends()
        for task in running:
            task.cancel()
    waits: dict[str, list[float]] = defaultdict(list)
    for worker in workers:
        for tenant, found in worker.waits.items():
            waits[tenant] += found
    return ClientsReport(dict(waits), sum(worker.lost for worker in workers), late)


if __name__ == "__main__":
    log.remove()
    print(msgspec.json.encode(uvloop.run(main(msgspec.json.decode(sys.argv[1], type=ClientsPlan)))).decode())
