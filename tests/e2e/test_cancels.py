"""Cancels jobs at random moments on a whole worker: every acknowledged cancellation holds."""

import asyncio
import datetime as dt
import os
import random
from collections import Counter, defaultdict
from contextlib import aclosing
from dataclasses import dataclass

import httpx
import msgspec
import pytest
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place
from pw_queue import begun_job

from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.status import Cancelled, CancelRequest
from pageworker_supervisor.contract.job import JobRef

CANCELS = int(os.environ.get("PW_CANCELS", "210"))
SEED = int(os.environ.get("PW_SEED", str(random.randrange(10**6))))
TENANTS = ("t0", "t1", "t2")
"""More tenants than runners, so that runners start all the time."""
BURST = 50
TRACKS = 3
"""Bursts that run at once."""
LONGEST_NAP_SECONDS = 0.6
AT_ONCE = 8
ACKNOWLEDGED = ("cancelled", "cancelling")

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]


@dataclass
class CancelCase:
    """One job, when it is cancelled, and the answer."""

    ref: JobRef
    nap_seconds: float
    moment: str
    answer: Cancelled | None = None
    ended_before: bool = False
    """Whether the job had its result before it was cancelled."""


class JobProgress:
    """How far each job has come, as Redis shows it: `claimed`, `begun` or `ended`."""

    def __init__(self) -> None:
        self._steps: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self.seen: Counter[str] = Counter()
        """How often each step was seen by itself."""

    def has(self, ref: JobRef, step: str) -> bool:
        """Whether it has come so far."""
        return self._steps[str(ref), step].is_set()

    async def until(self, ref: JobRef, step: str) -> None:
        """Until it has come so far. What has ended counts as claimed and begun."""
        await self._steps[str(ref), step].wait()

    async def watch(self, producer: Producer) -> None:
        """Follow for ever."""
        async with producer.redis.monitor() as monitor:
            async for line in monitor.listen():
                words = line["command"].split(" ", 8)
                if words[0] == "HSET" and words[1].startswith("pw:{0}:job:"):
                    ref = words[1].removeprefix("pw:{0}:job:")
                    if "token" in words:
                        self._note(ref, "claimed")
                    if begun_job(line["command"]):
                        self._note(ref, "begun")
                elif words[0] == "SET" and words[1].startswith("pw:result:"):
                    ref = words[1].removeprefix("pw:result:").replace(":", "/", 1)
                    self._note(ref, "ended")
                    for step in ("claimed", "begun"):
                        self._steps[ref, step].set()

    def _note(self, ref: str, step: str) -> None:
        self.seen[step] += 1
        self._steps[ref, step].set()


class CancelScenario:
    """A worker, and the jobs that are cancelled on it."""

    def __init__(self, daemon: DaemonProcess, producer: Producer, way: JobProgress, chance: random.Random) -> None:
        self._way = way
        self._pushing = asyncio.Semaphore(AT_ONCE)
        self.cases: list[CancelCase] = []
        self.chance = chance
        # One client for all: `workerctl` would start a process for each, and come too late for most moments. No idle
        # connections: the worker may close one at the very moment at which a request is sent on it.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(uds=str(daemon.data_dir / CONTROL_SOCKET), limits=limits)
        self._worker = httpx.AsyncClient(transport=transport, base_url="http://worker", timeout=30)
        self._producer = producer

    async def aclose(self) -> None:
        """Close the connection to the worker."""
        await self._worker.aclose()

    async def burst(self, tenant: str, count: int) -> None:
        """Push some jobs of one tenant, cancel each at a random moment, and wait for all of them."""
        moments = ("before", "at once", "waiting", "starting", "running", "ending", "ended")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                case = CancelCase(
                    ref=JobRef(tenant, f"j{len(self.cases)}"),
                    nap_seconds=self.chance.uniform(0.02, LONGEST_NAP_SECONDS),
                    moment=self.chance.choice(moments),
                )
                self.cases.append(case)
                tasks.create_task(self._live(case))

    async def _live(self, case: CancelCase) -> None:
        """Push the job and cancel it, in the order and at the time of its moment."""
        if case.moment == "before":
            await self._cancel(case)
        await self._push(case)
        match case.moment:
            case "waiting":
                await asyncio.sleep(self.chance.uniform(0, 0.5))
            case "starting":
                await self._way.until(case.ref, "claimed")
                await asyncio.sleep(self.chance.uniform(0, 0.3))
            case "running":
                await self._way.until(case.ref, "begun")
                await asyncio.sleep(self.chance.uniform(0, case.nap_seconds))
            case "ending":
                await self._way.until(case.ref, "begun")
                await asyncio.sleep(case.nap_seconds + self.chance.uniform(-0.05, 0.02))
            case "ended":
                await self._way.until(case.ref, "ended")
        if case.moment != "before":
            await self._cancel(case)

    async def _push(self, case: CancelCase) -> None:
        job = self._producer.job(
            case.ref.job_id,
            "test.nap",
            {"seconds": case.nap_seconds},
            tenant_id=case.ref.tenant_id,
            profile_id=self.chance.choice([None, None, None, "p"]),
            # Its expiry is far away.
            expires_at=(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(),
        )
        async with self._pushing:
            await (self._producer.push if self.chance.random() < 0.5 else self._producer.add)(job)

    async def _cancel(self, case: CancelCase) -> None:
        case.ended_before = self._way.has(case.ref, "ended")
        response = await self._worker.post("/cancel", content=msgspec.json.encode(CancelRequest(case.ref)))
        case.answer = msgspec.json.decode(response.raise_for_status().content, type=Cancelled)


async def test_a_cancel_that_was_acknowledged_holds_at_any_moment() -> None:
    print(f"PW_SEED={SEED}")
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        pool = {"runners": 2, "pages": 6, "residency_seconds": 0.5}
        with here.worker(browser=HEADLESS_SHELL, pool=pool, log={"level": "info"}) as daemon:
            way = JobProgress()
            story = CancelScenario(daemon, producer, way, random.Random(SEED))
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(way.watch(producer))
                async with asyncio.TaskGroup() as tracks:
                    for track in range(TRACKS):
                        tracks.create_task(bursts(story, track))
                watching.cancel()
            await story.aclose()
            await producer.collect(CANCELS, 60)
            await producer.settle()
            assert daemon.terminate() == 0
    # Otherwise its cancels at the later moments would all come after the end.
    assert set(way.seen) == {"claimed", "begun", "ended"}
    check(story.cases, producer)


async def bursts(story: CancelScenario, track: int) -> None:
    """Bursts of one tenant after the other."""
    turn = track
    while (left := CANCELS - len(story.cases)) > 0:
        await story.burst(TENANTS[turn % len(TENANTS)], min(BURST, left))
        turn += story.chance.choice((1, 2, 3))


def check(cases: list[CancelCase], producer: Producer) -> None:
    """Each acknowledged cancellation ended its job; each other one came too late. Every job has one result."""
    assert len(cases) == CANCELS
    assert producer.stream == Counter(dict.fromkeys((case.ref.job_id for case in cases), 1))
    ends: Counter[str] = Counter()
    for case in cases:
        result = producer.results[case.ref.job_id]
        assert case.answer is not None
        assert case.answer.outcome in (*ACKNOWLEDGED, "finished"), case
        if case.answer.outcome in ACKNOWLEDGED:
            assert result["status"] == "cancelled", (case, result)
            assert not case.ended_before, case
            assert case.answer.known or case.moment in ("before", "at once", "waiting", "starting"), case
            ends[result["error"]["message"]] += 1
        else:
            assert result["status"] == "succeeded", (case, result)
            ends["finished"] += 1
        if case.moment == "before":
            assert case.answer.outcome == "cancelling"
            assert not case.answer.known
            assert result["attempts"] == []
    print(dict(ends))
    # Jobs were cancelled in every state: waiting, starting, running, ended.
    assert {
        "cancelled while it waited",
        "cancelled before its handler began",
        "cancelled while it ran",
        "finished",
    } <= set(ends)
