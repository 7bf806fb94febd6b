"""One run: a deployment, workers, jobs and faults; then a quiet time, and the comparison with the expected results."""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from chaos.batches import ChaosBatches
from chaos.deployments import Deployment, open_deployment
from chaos.expected_results import ChaosFindings, ExpectedResults
from chaos.faults import Faults
from chaos.producer import ChaosProducer
from chaos.real import left
from chaos.receiver import ChaosReceiver, running_receiver
from chaos.runner_kinds import ECHO, RunnerKind
from chaos.sampler import Sampler
from chaos.work import JobGenerator
from chaos.worker_pool import PROMISE_MS, PooledWorker, running_workers, uids
from pageworker_demo.workspace import publish
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, connect
from pageworker_supervisor.redis_client.errors import RedisClientError

ECHO_MODULE = Path(__file__).parent / "modules" / "chaos_echo"
BATCH = 40
QUIET_SECONDS = 240.0
JOBS_PER_QUIET_SECOND = 10
"""Many jobs of few tenants wait for the concurrency of their tenants."""
LOOK_SECONDS = 0.25
REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class ChaosPlan:
    """What a run does. Together with the code it decides everything but the timing."""

    deployment: str
    seed: int
    jobs: int
    faults: int
    workers: int = 4
    runner_kind: RunnerKind = ECHO
    batch_size: int = 0
    """Jobs per batch. 0: no job belongs to one."""
    only: tuple[str, ...] = ()
    """Names of the faults to draw from; empty for all."""


@dataclass(frozen=True)
class ChaosOutcome:
    """What a run found."""

    plan: ChaosPlan
    jobs: int
    faults: Counter[str]
    findings: ChaosFindings
    over: list[str]
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether the run found nothing wrong."""
        return self.findings.clean and not self.over

    def text(self) -> str:
        """The report for a reader."""
        found = self.findings
        lines = [
            f"{self.plan}: {self.jobs} jobs, {self.faults.total()} faults in {self.seconds:.0f} s",
            f"  batches: {found.batches}",
            f"  faults: {dict(self.faults)}",
            f"  ends: {dict(found.statuses)}",
        ]
        for name in ("lost", "double", "orphans", "wrong"):
            lines += [f"  {name}: {line}" for line in getattr(found, name)[:20]]
        lines += [f"  over limit: {line}" for line in self.over[:20]]
        return "\n".join(lines)


def twin_module(folder: Path, name: str = "twin", first_line: str = "") -> Path:
    """The same module by another name, below `folder`: one that is at its limit stands beside one that is not.

    `first_line`: of its module.toml.
    """
    twin = folder / f"chaos_{name}"
    shutil.copytree(ECHO_MODULE, twin)
    (twin / "chaos_echo").rename(twin / f"chaos_{name}")
    manifest = twin / "module.toml"
    text = manifest.read_text().replace("chaos_echo", f"chaos_{name}").replace("chaos.echo", f"chaos.{name}")
    manifest.write_text(f"{first_line}\n{text}")
    return twin


async def run(plan: ChaosPlan, keep: Path | None = None) -> ChaosOutcome:
    """Run the plan. `keep`: a folder for the workers' files; without it, a temporary one."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="pw-chaos-", ignore_cleanup_errors=True) as temporary,
        ThreadPoolExecutor(8) as threads,
    ):
        folder = keep or Path(temporary)
        # A server ends with the thread that started it. This thread and the executor's threads live as long as the run.
        with open_deployment(plan.deployment) as deployment:
            alone = twin_module(folder, "alone", 'isolation = "job"')
            key, _ = await publish([ECHO_MODULE, twin_module(folder), alone], folder / "registry")
            redis_client = connect(RedisSettings(url=deployment.url))
            queue = QueueClient(
                redis_client,
                shards=deployment.shards,
                options=QueueOptions(
                    lease_ms=plan.runner_kind.lease_ms,
                    outbox_lease_ms=PROMISE_MS,
                    replicas=deployment.replicas,
                ),
            )
            async with aclosing(redis_client), running_receiver() as receiver:
                chaos_run = ChaosRun(plan, deployment, queue, redis_client, receiver, threads)
                async with running_workers(deployment, folder, plan.workers, key, plan.runner_kind) as workers:
                    faults, sampler = await chaos_run.execute(workers)
                findings = await chaos_run.count()
    return ChaosOutcome(
        plan,
        len(chaos_run.producer.pushed) + chaos_run.producer.texts,
        faults,
        findings,
        sampler.over,
        time.monotonic() - began,
    )


class ChaosRun:
    """One run: what its steps share."""

    def __init__(
        self,
        plan: ChaosPlan,
        deployment: Deployment,
        queue: QueueClient,
        redis_client: RedisClient,
        receiver: ChaosReceiver,
        threads: ThreadPoolExecutor,
    ) -> None:
        batches = ChaosBatches(queue.batches, plan.batch_size, receiver.url)
        self.producer = ChaosProducer(deployment, queue, threads, batches)
        self._plan = plan
        self._deployment = deployment
        self._queue = queue
        self._redis_client = redis_client
        self._receiver = receiver
        self._threads = threads
        self.left_over: list[str] = []
        """What went wrong, beside what `ExpectedResults` finds."""

    async def execute(self, workers: list[PooledWorker]) -> tuple[Counter[str], Sampler]:
        """Push jobs and run faults, wait until all work is done, then stop the workers."""
        plan = self._plan
        work = JobGenerator(plan.seed, self._receiver.url, plan.runner_kind, plan.batch_size)
        sampler = Sampler(self._deployment, self.producer, self._threads)
        faults = Faults(self._deployment, self._queue, workers, self._receiver, self._threads, plan.seed, plan.only)
        drawn = 0

        async def paced(number: int) -> None:
            """Push the jobs that are due by the nth fault."""
            nonlocal drawn
            wanted = round(plan.jobs * (number + 1) / plan.faults)
            while drawn < wanted:
                batch = [work.draw() for _ in range(min(BATCH, wanted - drawn))]
                drawn += len(batch)
                await self.producer.push(batch)
            if number % 20 == 0:
                sys.stderr.write(f"{plan.deployment}: {drawn} jobs pushed, {number} faults begun\n")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sampler.run())
            await faults.run(plan.faults, paced)
            self.left_over += faults.wrong
            await self.producer.push([])
            for worker in workers:
                if worker.dead:
                    self.left_over.append(f"{worker.name} ended without a signal: {worker.log_tail()}")
            self.left_over += await self.wait_until_quiet()
            # A batch that was closed earlier would refuse jobs that are still on their way.
            await self.producer.batches.close()
            self.left_over += await self.wait_until_quiet()
            sampler.stop()
        codes = await asyncio.gather(*(worker.end(signal.SIGTERM) for worker in workers))
        self.left_over += [
            f"{worker.name} exited with {code}: {worker.log_tail()}"
            for worker, code in zip(workers, codes, strict=True)
            if code
        ]
        sys.stderr.write(f"{plan.deployment}: {sampler.samples} samples, at most {sampler.most} at once\n")
        return faults.done, sampler

    async def wait_until_quiet(self) -> list[str]:
        """Wait until no work is left. Returns what is left after QUIET_SECONDS, or longer after very many jobs."""
        seconds = max(QUIET_SECONDS, self._plan.jobs / JOBS_PER_QUIET_SECOND)
        until, reported = time.monotonic() + seconds, time.monotonic()
        left = ["the queue was not read yet"]
        while left and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                left = await self._busy()
            except RedisClientError as away:
                left = [str(away)]
            if left and time.monotonic() > reported + REPORT_SECONDS:
                reported = time.monotonic()
                sys.stderr.write(f"{self._plan.deployment}: waiting for {'; '.join(left)}\n")
        return [f"after {seconds:.0f} s of quiet: {line}" for line in left]

    async def _busy(self) -> list[str]:
        inbox = await self._redis_client.send("LLEN", "pw:inbox", key="pw:inbox")
        stream = await self._redis_client.send("XLEN", "pw:jobs", key="pw:jobs")
        left = [f"{inbox} in the inbox, {stream} in the stream"] if inbox or stream else []
        holders = await self._redis_client.send("ZRANGE", "{pw:inbox}:workers", 0, -1, key="pw:inbox")
        for name in holders:
            taken = await self._redis_client.send("LLEN", f"{{pw:inbox}}:processing:{name.decode()}", key="pw:inbox")
            left += [f"{taken} in the processing list of {name.decode()}"] if taken else []
        for stats in await self._queue.inspection.stats():
            paused = sum(stats.paused.values())
            if stats.queued or stats.delayed or stats.running or stats.ending or stats.outbox_entries or paused:
                left.append(str(stats))
        return left

    async def count(self) -> ChaosFindings:
        """The findings, with those of the run itself."""
        findings = await ExpectedResults(self._deployment, self._queue, self.producer, self._receiver).read()
        findings.wrong += self.left_over
        findings.orphans += left(uids(self._plan.workers))
        await self.producer.aclose()
        return findings
