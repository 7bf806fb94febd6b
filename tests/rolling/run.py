"""Replaces workers one by one under load: from the version before to the next one, and back."""

import asyncio
import dataclasses
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from chaos.deployments import open_deployment
from chaos.expected_results import ChaosFindings
from chaos.receiver import ChaosReceiver, running_receiver
from chaos.run import ECHO_MODULE, ChaosPlan, ChaosRun, twin_module
from chaos.runner_kinds import RunnerKind
from chaos.sampler import Sampler
from chaos.work import SERVED, ChaosJob, JobGenerator
from chaos.worker_pool import PROMISE_MS, PooledWorker, WorkerBuild, running_workers

from pageworker_demo.workspace import publish
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, connect
from rolling.next_version import NEW_FIELD

MOST_BATCHES_PER_SECOND = 4
MOST_WAITING_PER_WORKER = 40
NEW_JOBS = 60
NEW_DELAY_SECONDS = 8.0
"""Most of the jobs with the new field still wait when the first workers are rolled back."""
LOOK_SECONDS = 0.25
MOVE_ON_SECONDS = 180.0
"""A worker of the other version defers a job for half a minute each time."""

JobFilter = Callable[[list[JobRef]], Awaitable[list[JobRef]]]


@dataclass(frozen=True)
class RollingPlan:
    """`workers` of one kind on one Redis; the seed decides the jobs."""

    seed: int
    workers: int
    runner_kind: RunnerKind
    jobs_per_second: int


@dataclass(frozen=True)
class RollingOutcome:
    """What a run found. `replaced`: how many workers were replaced."""

    plan: RollingPlan
    jobs: int
    replaced: int
    findings: ChaosFindings
    over: list[str]

    def text(self) -> str:
        """The report for a reader."""
        found = self.findings
        lines = [f"{self.plan}: {self.jobs} jobs, {self.replaced} workers replaced", f"  ends: {dict(found.statuses)}"]
        for name in ("lost", "double", "orphans", "wrong"):
            lines += [f"  {name}: {line}" for line in getattr(found, name)[:20]]
        return "\n".join([*lines, *(f"  over limit: {line}" for line in self.over[:20])])


async def run(plan: RollingPlan, builds: tuple[WorkerBuild, WorkerBuild], folder: Path) -> RollingOutcome:
    """Run the plan, with the files of the workers below the folder. `builds`: the version before, and the next one."""
    with ThreadPoolExecutor(4) as threads, open_deployment("standalone") as deployment:
        # The older version may not know `isolation`, so the module of this name isolates nothing here.
        alone = twin_module(folder, "alone")
        key, _ = await publish([ECHO_MODULE, twin_module(folder), alone], folder / "registry")
        redis_client = connect(RedisSettings(url=deployment.url))
        options = QueueOptions(lease_ms=plan.runner_kind.lease_ms, outbox_lease_ms=PROMISE_MS)
        queue = QueueClient(redis_client, shards=deployment.shards, options=options)
        async with aclosing(redis_client), running_receiver() as receiver:
            chaos_plan = ChaosPlan("standalone", plan.seed, 0, 0, plan.workers, plan.runner_kind)
            base = ChaosRun(chaos_plan, deployment, queue, redis_client, receiver, threads)
            sampler = Sampler(deployment, base.producer, threads)
            kind = plan.runner_kind
            async with running_workers(deployment, folder, plan.workers, key, kind, builds[0]) as workers:
                rolling = RollingUpdate(plan, base, queue, redis_client, receiver)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(sampler.run())
                    await rolling.execute(workers, *builds)
                    sampler.stop()
            jobs = len(base.producer.pushed) + base.producer.texts
            return RollingOutcome(plan, jobs, rolling.replaced, await base.count(), sampler.over)


class RollingUpdate:
    """The steps of docs/upgrade.md: forth, then jobs with the new field, then back."""

    def __init__(
        self,
        plan: RollingPlan,
        base: ChaosRun,
        queue: QueueClient,
        redis_client: RedisClient,
        receiver: ChaosReceiver,
    ) -> None:
        self.replaced = 0
        per_second = min(plan.jobs_per_second, MOST_BATCHES_PER_SECOND)
        self._batch = plan.jobs_per_second // per_second
        self._pause_seconds = 1 / per_second
        self._most_waiting = plan.workers * MOST_WAITING_PER_WORKER
        self._base = base
        self._queue = queue
        self._redis_client = redis_client
        self._work = JobGenerator(plan.seed, receiver.url, plan.runner_kind)

    async def execute(self, workers: list[PooledWorker], before: WorkerBuild, following: WorkerBuild) -> None:
        """Roll forth and back under load, wait until all work is done, and stop the workers."""
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._load(done))
            await self._all_started(workers)
            for number, worker in enumerate(workers):
                # One of them dies: the next version takes over its leases and its texts.
                await self._replace(worker, following, signal.SIGKILL if number == 1 else signal.SIGTERM)
            new = await self._push_new_jobs()
            await self._check_versions(new)
            *first, last = workers
            for number, worker in enumerate(first):
                await self._replace(worker, before, signal.SIGKILL if number == 1 else signal.SIGTERM)
            await self._until(self._unfinished, new, "a worker of the next version runs each job with the new field")
            await self._replace(last, before, signal.SIGTERM)
            done.set()
        self._base.left_over += await self._base.wait_until_quiet()
        for worker in workers:
            await self._end(worker, signal.SIGTERM)

    async def _load(self, done: asyncio.Event) -> None:
        while not done.is_set():
            # A slow host gets less load, so that it can come to an end.
            if sum(shard.queued for shard in await self._queue.inspection.stats()) < self._most_waiting:
                await self._base.producer.push([self._work.draw() for _ in range(self._batch)])
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds):
                    await done.wait()

    async def _all_started(self, workers: list[PooledWorker]) -> None:
        for worker in workers:
            if not await worker.has_started():
                self._base.left_over.append(f"{worker.name} did not start: {worker.log_tail()}")

    async def _replace(self, worker: PooledWorker, build: WorkerBuild, number: signal.Signals) -> None:
        await self._end(worker, number)
        worker.build = build
        await worker.start()
        await self._all_started([worker])
        self.replaced += 1
        sys.stderr.write(
            f"{worker.name}: replaced after {number.name}, {len(self._base.producer.pushed)} jobs pushed\n"
        )

    async def _end(self, worker: PooledWorker, number: signal.Signals) -> None:
        if worker.dead:
            self._base.left_over.append(f"{worker.name} ended by itself: {worker.log_tail()}")
            return
        code = await worker.end(number)
        if code != (0 if number is signal.SIGTERM else -signal.SIGKILL):
            self._base.left_over.append(f"{worker.name} ended with {code}: {worker.log_tail()}")

    async def _push_new_jobs(self) -> list[JobRef]:
        """Push jobs with the new field, and wait until the queue has them: an older intake would reject their texts."""
        jobs: list[ChaosJob] = []
        while len(jobs) < NEW_JOBS:
            drawn = self._work.draw()
            if drawn.ref is None or not drawn.ends >= SERVED or drawn.cancelled:
                await self._base.producer.push([drawn])
                continue
            text = json.loads(drawn.text) | {NEW_FIELD: 4, "delay_seconds": NEW_DELAY_SECONDS * len(jobs) / NEW_JOBS}
            # A text that is pushed twice may be read late, by an older worker.
            jobs.append(dataclasses.replace(drawn, text=json.dumps(text), twice=False, by_stream=False))
        await self._base.producer.push(jobs)
        refs = [job.ref for job in jobs if job.ref is not None]
        await self._until(self._unknown, refs, "the queue has each job with the new field")
        return refs

    async def _check_versions(self, new: list[JobRef]) -> None:
        """Both versions have loaded their functions, and those of the next one have stored the new field."""
        listed = await self._redis_client.send_to_primaries("FUNCTION LIST", "LIBRARYNAME", "pw_*")
        if len(listed[0]) != 2:
            self._base.left_over.append(f"Redis has {len(listed[0])} libraries, not those of two versions")
        keys = [f"pw:{{0}}:job:{ref}" for ref in await self._unfinished(new)]
        stored = [await self._redis_client.send("HGET", key, NEW_FIELD, key=key) for key in keys]
        if not any(stored):
            self._base.left_over.append("no job has the new field: the next version does not run")

    async def _until(
        self, left: Callable[[list[JobRef]], Awaitable[list[JobRef]]], refs: list[JobRef], what: str
    ) -> None:
        try:
            async with asyncio.timeout(MOVE_ON_SECONDS):
                refs = await left(refs)
                while refs:
                    await asyncio.sleep(LOOK_SECONDS)  # no event tells of all of them
                    refs = await left(refs)
        except TimeoutError:
            self._base.left_over.append(f"not within {MOVE_ON_SECONDS:.0f} s: {what}; left: {refs[:5]}")

    async def _unknown(self, refs: list[JobRef]) -> list[JobRef]:
        unknown = []
        for ref in await self._unfinished(refs):
            key = f"pw:{{0}}:job:{ref}"
            if not await self._redis_client.send("EXISTS", key, key=key):
                unknown.append(ref)
        return unknown

    async def _unfinished(self, refs: list[JobRef]) -> list[JobRef]:
        return [ref for ref in refs if await self._queue.inspection.result(ref) is None]
