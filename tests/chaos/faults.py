"""The faults of a run: drawn from the seed, some of them at the same time."""

import asyncio
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial

from pw_servers import RespProxy

from chaos.deployments import Deployment
from chaos.receiver import ChaosReceiver
from chaos.work import DOMAINS, MODULES, TENANTS
from chaos.worker_config import BreakGateway, FreezeRunner, KillRunner, Skew
from chaos.worker_pool import PooledWorker
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.pauses import PauseKind

AT_ONCE = 3
LONGEST_STOP_SECONDS = 60.0
"""The drain's 10 s and the bounds of docs/operations.md. The rest is a margin for a busy host."""
MOST_SKEW_SECONDS = 300.0
PAUSABLE: list[tuple[PauseKind, str]] = [
    *(("tenant", name) for name in TENANTS),
    *(("module", name) for name in MODULES),
    *(("domain", name) for name in DOMAINS),
]
COMMANDS = (None, "FCALL", "FCALL", "FCALL", "EVAL", "BLMOVE", "BLMPOP", "XREADGROUP")

FaultAction = Callable[[random.Random], Awaitable[None]]


class Faults:
    """Draws and runs faults. `done` counts the finished ones by name."""

    def __init__(
        self,
        deployment: Deployment,
        queue: QueueClient,
        workers: list[PooledWorker],
        receiver: ChaosReceiver,
        threads: Executor,
        seed: int,
        only: tuple[str, ...] = (),
    ) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._deployment = deployment
        self._queue = queue
        self._members = workers
        self._receiver = receiver
        self._threads = threads
        self._dice = random.Random(f"faults {seed}")
        self._redis = asyncio.Lock()
        self._calling = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lease_seconds = workers[0].runner_kind.lease_seconds
        self._actions = {name: action for name, action in self._all().items() if not only or name in only}

    def _all(self) -> dict[str, FaultAction]:
        actions: dict[str, FaultAction] = {
            "worker killed": self._kill,
            "worker stopped past its lease": partial(self._stop, self._lease_seconds + 0.5, self._lease_seconds + 3),
            "worker stopped shortly": partial(self._stop, 0.2, 2.0),
            "worker drained": self._drain,
            "Redis gone at SIGTERM": self._drain_without_redis,
            "descriptors used up": self._use_up_descriptors,
            "runner killed": self._kill_runner,
            "runner stopped": self._freeze_runner,
            "network cut": self._cut,
            "network swallows": self._stall,
            "connections reset": self._reset,
            "reply lost": self._lose_reply,
            "reply lost twice": partial(self._lose_reply, times=2),
            "network slow": self._slow,
            "clock skewed": self._skew,
            "paused": self._pause,
            "receiver down": partial(self._disturb_receiver, "down"),
            "receiver slow": partial(self._disturb_receiver, "slow"),
            "receiver 500": partial(self._disturb_receiver, "500"),
            "receiver 409": partial(self._disturb_receiver, "409"),
        }
        if self._members[0].runner_kind.runners == "chromium":
            actions["gateway cannot start"] = self._break_gateway
        for name in self._deployment.faults():
            # Twice as likely: these faults are what differs between deployments.
            actions[name] = actions[name + " again"] = partial(self._fault_redis, name)
        return actions

    async def run(self, count: int, paced: Callable[[int], Awaitable[None]]) -> None:
        """Run `count` faults, a few at a time. `paced(n)` is awaited before the nth."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                await paced(number)
                await self._slots.acquire()
                name = self._dice.choice(list(self._actions))
                tasks.create_task(self._do(name, random.Random(self._dice.random())), name=name)
                await asyncio.sleep(self._dice.uniform(0.0, 0.4))

    async def _do(self, name: str, rng: random.Random) -> None:
        try:
            await self._actions[name](rng)
            self.done[name.removesuffix(" again")] += 1
        finally:
            self._slots.release()

    # -- workers

    async def _claim_worker(self, rng: random.Random) -> PooledWorker:
        """A worker that no other fault of this kind uses now."""
        while True:
            free = [worker for worker in self._members if worker.up.is_set()]
            if free:
                worker = rng.choice(free)
                worker.up.clear()
                return worker
            await self._members[0].up.wait()

    async def _kill(self, rng: random.Random) -> None:
        worker = await self._claim_worker(rng)
        await worker.end(signal.SIGKILL)
        await asyncio.sleep(rng.uniform(0.1, 2))
        await worker.start(elsewhere=rng.random() < 0.4)

    async def _drain(self, rng: random.Random) -> None:
        worker = await self._claim_worker(rng)
        await worker.end(signal.SIGTERM)
        await worker.start()

    async def _drain_without_redis(self, rng: random.Random) -> None:
        worker = await self._claim_worker(rng)
        proxies = list(worker.proxies.values())
        for proxy in proxies:
            rng.choice((RespProxy.cut, RespProxy.stall))(proxy)
        async with asyncio.timeout(LONGEST_STOP_SECONDS):
            code = await worker.end(signal.SIGTERM)
        for proxy in proxies:
            proxy.heal()
        if code:
            self.wrong.append(f"{worker.name} without Redis ended with {code}: {worker.log_tail()}")
        await worker.start()

    async def _use_up_descriptors(self, rng: random.Random) -> None:
        """Lower the limit so that no descriptor is free: the worker can open, accept and connect nothing."""
        worker = await self._claim_worker(rng)
        started = await worker.has_started()
        if worker.dead:
            self.wrong.append(f"{worker.name} ended by itself: {worker.log_tail()}")
            await worker.start()
            return
        if not started:
            # A start needs descriptors, and may fail without.
            worker.up.set()
            return
        before = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        taken = {int(name) for name in os.listdir(f"/proc/{worker.pid}/fd")}
        lowest = next(number for number in range(len(taken) + 1) if number not in taken)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
        try:
            for proxy in worker.proxies.values():
                if rng.random() < 0.5:
                    proxy.reset_connections()
            await asyncio.sleep(rng.uniform(0.5, 3))
        finally:
            if not worker.dead:
                resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, before)
        worker.up.set()

    async def _stop(self, least: float, most: float, rng: random.Random) -> None:
        worker = await self._claim_worker(rng)
        worker.send(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(least, most))
        worker.send(signal.SIGCONT)
        worker.up.set()

    async def _kill_runner(self, rng: random.Random) -> None:
        rng.choice(self._members).send_command(KillRunner())

    async def _freeze_runner(self, rng: random.Random) -> None:
        rng.choice(self._members).send_command(FreezeRunner(rng.uniform(1, self._lease_seconds + 3)))

    async def _break_gateway(self, rng: random.Random) -> None:
        rng.choice(self._members).send_command(BreakGateway(rng.uniform(0.5, self._lease_seconds)))

    async def _skew(self, rng: random.Random) -> None:
        worker = rng.choice(self._members)
        worker.ahead_seconds = rng.uniform(-MOST_SKEW_SECONDS, MOST_SKEW_SECONDS)
        worker.send_command(Skew(worker.ahead_seconds))

    # -- the network between one worker and Redis

    def _proxies(self, rng: random.Random) -> list[RespProxy]:
        return list(rng.choice(self._members).proxies.values())

    async def _cut(self, rng: random.Random) -> None:
        await self._while(rng, 0.3, self._lease_seconds + 3, RespProxy.cut)

    async def _stall(self, rng: random.Random) -> None:
        await self._while(rng, 0.3, self._lease_seconds + 4, RespProxy.stall)

    async def _slow(self, rng: random.Random) -> None:
        delay = rng.uniform(0.01, 0.3)
        await self._while(rng, 0.5, 2.0, lambda proxy: proxy.delay(delay))

    async def _while(self, rng: random.Random, least: float, most: float, act: Callable[[RespProxy], None]) -> None:
        proxies = self._proxies(rng)
        for proxy in proxies:
            act(proxy)
        await asyncio.sleep(rng.uniform(least, most))
        for proxy in proxies:
            proxy.heal()

    async def _reset(self, rng: random.Random) -> None:
        for proxy in self._proxies(rng):
            proxy.reset_connections()

    async def _lose_reply(self, rng: random.Random, times: int = 1) -> None:
        """Redis executes the command; its reply is lost."""
        for proxy in self._proxies(rng):
            proxy.drop_reply(rng.randrange(1, 30), rng.choice(COMMANDS), times=times, hang=rng.random() < 0.2)

    # -- the queue

    async def _pause(self, rng: random.Random) -> None:
        """Always for a time: Redis may be away when the pause is to end, or when it is to be set."""
        kind, name = rng.choice(PAUSABLE)
        await self._queue.pauses.pause(kind, name, "chaos", "chaos", rng.uniform(0.3, 4.0))
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        if rng.random() < 0.5:
            await self._queue.pauses.unpause(kind, name, "chaos")

    # -- Redis and the receiver

    async def _fault_redis(self, name: str, rng: random.Random) -> None:
        async with self._redis:
            fault = self._deployment.faults()[name]
            await asyncio.get_running_loop().run_in_executor(self._threads, fault, rng)

    async def _disturb_receiver(self, mode: str, rng: random.Random) -> None:
        async with self._calling:
            self._receiver.set_mode(mode)
            await asyncio.sleep(rng.uniform(0.5, 3))
            self._receiver.set_mode("ok")
