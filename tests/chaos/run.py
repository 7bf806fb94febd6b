"""One run: a deployment, workers, jobs, faults; then quiet, and the ledger."""

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from chaos.deployments import Ground, ground
from chaos.expected_results import ChaosFindings, ExpectedResults
from chaos.faults import Faults
from chaos.producer import ChaosProducer
from chaos.real import left
from chaos.receiver import ChaosReceiver, receiver
from chaos.runner_kinds import ECHO, Cast
from chaos.sampler import Sampler
from chaos.work import Work
from chaos.worker_pool import PROMISE_MS, Member, crew, uids
from pageworker_demo.workspace import publish
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, connect
from pageworker_supervisor.redis_client.errors import RedisClientError

MODULES = Path(__file__).parent / "modules"
BATCH = 40
QUIET_SECONDS = 240.0
LOOK_SECONDS = 0.25
TOLD_SECONDS = 10.0


@dataclass(frozen=True)
class ChaosPlan:
    """What to do. Together with the code it decides all that is decided by us; the rest is timing."""

    ground: str
    seed: int
    jobs: int
    faults: int
    workers: int = 4
    cast: Cast = ECHO
    only: tuple[str, ...] = ()
    """Faults to draw from, by name; none: all."""


@dataclass(frozen=True)
class ChaosOutcome:
    """What came of it."""

    plan: ChaosPlan
    jobs: int
    faults: Counter[str]
    findings: ChaosFindings
    over: list[str]
    seconds: float

    @property
    def clean(self) -> bool:
        """As it should be."""
        return self.findings.clean and not self.over

    def tell(self) -> str:
        """For a human."""
        found = self.findings
        lines = [
            f"{self.plan}: {self.jobs} jobs, {self.faults.total()} faults in {self.seconds:.0f} s",
            f"  faults: {dict(self.faults)}",
            f"  ends: {dict(found.statuses)}",
        ]
        for name in ("lost", "double", "orphans", "wrong"):
            lines += [f"  {name}: {line}" for line in getattr(found, name)[:20]]
        lines += [f"  over limit: {line}" for line in self.over[:20]]
        return "\n".join(lines)


async def run(plan: ChaosPlan, keep: Path | None = None) -> ChaosOutcome:
    """Carry it out. `keep`: a folder for the workers' files, else a temporary one."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="pw-chaos-", ignore_cleanup_errors=True) as temporary,
        ThreadPoolExecutor(8) as threads,
    ):
        folder = keep or Path(temporary)
        # Servers end with the thread that started them: this one and the executor's live as long as the run.
        with ground(plan.ground) as there:
            key, _ = await publish(sorted(MODULES.iterdir()), folder / "registry")
            redis_client = connect(RedisSettings(url=there.url))
            queue = QueueClient(
                redis_client,
                shards=there.shards,
                options=QueueOptions(lease_ms=plan.cast.lease_ms, outbox_lease_ms=PROMISE_MS),
            )
            async with aclosing(redis_client), receiver() as called:
                stage = Stage(plan, there, queue, redis_client, called, threads)
                async with crew(there, folder, plan.workers, key, plan.cast) as members:
                    faults, sampler = await stage.play(members)
                findings = await stage.count()
    return ChaosOutcome(
        plan,
        len(stage.producer.pushed) + stage.producer.texts,
        faults,
        findings,
        sampler.over,
        time.monotonic() - began,
    )


class Stage:
    """Everything of one run."""

    def __init__(
        self,
        plan: ChaosPlan,
        there: Ground,
        queue: QueueClient,
        redis_client: RedisClient,
        called: ChaosReceiver,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.producer = ChaosProducer(there, queue, threads)
        self._plan = plan
        self._ground = there
        self._queue = queue
        self._redis_client = redis_client
        self._called = called
        self._threads = threads
        self._left: list[str] = []

    async def play(self, members: list[Member]) -> tuple[Counter[str], Sampler]:
        """Jobs and faults, then quiet, then everybody goes."""
        plan = self._plan
        work = Work(plan.seed, self._called.url, plan.cast)
        sampler = Sampler(self._ground, self.producer, self._threads)
        faults = Faults(self._ground, members, self._called, self._threads, plan.seed, plan.only)
        drawn = 0

        async def paced(number: int) -> None:
            """So many jobs by the nth fault."""
            nonlocal drawn
            wanted = round(plan.jobs * (number + 1) / plan.faults)
            while drawn < wanted:
                batch = [work.draw() for _ in range(min(BATCH, wanted - drawn))]
                drawn += len(batch)
                await self.producer.push(batch)
            if number % 20 == 0:
                sys.stderr.write(f"{plan.ground}: {drawn} jobs pushed, {number} faults begun\n")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sampler.run())
            await faults.run(plan.faults, paced)
            self._left += faults.wrong
            await self.producer.push([])
            for member in members:
                if member.dead:
                    self._left.append(f"{member.name} ended by itself: {member.last_words()}")
            self._left += await self._quiet()
            sampler.stop()
        codes = await asyncio.gather(*(member.end(signal.SIGTERM) for member in members))
        self._left += [
            f"{member.name} exited with {code}: {member.last_words()}"
            for member, code in zip(members, codes, strict=True)
            if code
        ]
        sys.stderr.write(f"{plan.ground}: {sampler.samples} samples, at most {sampler.most} at once\n")
        return faults.done, sampler

    async def _quiet(self) -> list[str]:
        """Until nothing is left to do, or far too long."""
        until, told = time.monotonic() + QUIET_SECONDS, time.monotonic()
        left = ["never looked at"]
        while left and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                left = await self._busy()
            except RedisClientError as away:
                left = [str(away)]
            if left and time.monotonic() > told + TOLD_SECONDS:
                told = time.monotonic()
                sys.stderr.write(f"{self._plan.ground}: waits for {'; '.join(left)}\n")
        return [f"after {QUIET_SECONDS:.0f} s of quiet: {line}" for line in left]

    async def _busy(self) -> list[str]:
        inbox = await self._redis_client.send("LLEN", "pw:inbox", key="pw:inbox")
        stream = await self._redis_client.send("XLEN", "pw:jobs", key="pw:jobs")
        left = [f"{inbox} in the inbox, {stream} in the stream"] if inbox or stream else []
        holders = await self._redis_client.send("ZRANGE", "{pw:inbox}:workers", 0, -1, key="pw:inbox")
        for name in holders:
            taken = await self._redis_client.send("LLEN", f"{{pw:inbox}}:processing:{name.decode()}", key="pw:inbox")
            left += [f"{taken} taken in by {name.decode()}"] if taken else []
        for stats in await self._queue.inspection.stats():
            if stats.queued or stats.delayed or stats.running or stats.ending or stats.outbox_entries:
                left.append(str(stats))
        return left

    async def count(self) -> ChaosFindings:
        """The ledger, and what went wrong on the way."""
        findings = await ExpectedResults(self._ground, self._queue, self.producer, self._called).read()
        findings.wrong += self._left
        findings.orphans += left(uids(self._plan.workers))
        await self.producer.aclose()
        return findings
