"""What goes wrong, and when: drawn from the seed, some of it at the same time."""

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

from chaos.deployments import Ground
from chaos.receiver import ChaosReceiver
from chaos.worker_config import BreakGateway, FreezeRunner, KillRunner, Skew
from chaos.worker_pool import Member

AT_ONCE = 3
LONGEST_STOP_SECONDS = 60.0
"""The drain's 10, and the bounds of docs/operations.md; the rest is for a busy host."""
MOST_SKEW_SECONDS = 300.0
COMMANDS = (None, "FCALL", "FCALL", "FCALL", "EVAL", "BLMOVE", "BLMPOP", "XREADGROUP")

Deed = Callable[[random.Random], Awaitable[None]]


class Faults:
    """`done` counts what has happened, by name."""

    def __init__(
        self,
        ground: Ground,
        members: list[Member],
        receiver: ChaosReceiver,
        threads: Executor,
        seed: int,
        only: tuple[str, ...] = (),
    ) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._ground = ground
        self._members = members
        self._receiver = receiver
        self._threads = threads
        self._dice = random.Random(f"faults {seed}")
        self._redis = asyncio.Lock()
        self._calling = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lease_seconds = members[0].cast.lease_seconds
        self._deeds = {name: deed for name, deed in self._all().items() if not only or name in only}

    def _all(self) -> dict[str, Deed]:
        deeds: dict[str, Deed] = {
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
            "receiver down": partial(self._receive, "down"),
            "receiver slow": partial(self._receive, "slow"),
            "receiver 500": partial(self._receive, "500"),
            "receiver 409": partial(self._receive, "409"),
        }
        if self._members[0].cast.runners == "chromium":
            deeds["gateway cannot start"] = self._break_gateway
        for name in self._ground.faults():
            # More of these: they are what differs between deployments.
            deeds[name] = deeds[name + " again"] = partial(self._befall, name)
        return deeds

    async def run(self, count: int, paced: Callable[[int], Awaitable[None]]) -> None:
        """So many faults, a few at a time. `paced(n)` is awaited before the nth."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                await paced(number)
                await self._slots.acquire()
                name = self._dice.choice(list(self._deeds))
                tasks.create_task(self._do(name, random.Random(self._dice.random())), name=name)
                await asyncio.sleep(self._dice.uniform(0.0, 0.4))

    async def _do(self, name: str, dice: random.Random) -> None:
        try:
            await self._deeds[name](dice)
            self.done[name.removesuffix(" again")] += 1
        finally:
            self._slots.release()

    # -- workers

    async def _taken(self, dice: random.Random) -> Member:
        """A worker that no other such fault has."""
        while True:
            free = [member for member in self._members if member.up.is_set()]
            if free:
                member = dice.choice(free)
                member.up.clear()
                return member
            await self._members[0].up.wait()

    async def _kill(self, dice: random.Random) -> None:
        member = await self._taken(dice)
        await member.end(signal.SIGKILL)
        await asyncio.sleep(dice.uniform(0.1, 2))
        await member.start(elsewhere=dice.random() < 0.4)

    async def _drain(self, dice: random.Random) -> None:
        member = await self._taken(dice)
        await member.end(signal.SIGTERM)
        await member.start()

    async def _drain_without_redis(self, dice: random.Random) -> None:
        member = await self._taken(dice)
        wires = list(member.wires.values())
        for wire in wires:
            dice.choice((RespProxy.cut, RespProxy.stall))(wire)
        async with asyncio.timeout(LONGEST_STOP_SECONDS):
            code = await member.end(signal.SIGTERM)
        for wire in wires:
            wire.heal()
        if code:
            self.wrong.append(f"{member.name} without Redis ended with {code}: {member.last_words()}")
        await member.start()

    async def _use_up_descriptors(self, dice: random.Random) -> None:
        """Every one below its limit is taken: it can open, accept and connect nothing."""
        member = await self._taken(dice)
        await member.settled()
        before = resource.prlimit(member.pid, resource.RLIMIT_NOFILE)
        taken = {int(name) for name in os.listdir(f"/proc/{member.pid}/fd")}
        lowest = next(number for number in range(len(taken) + 1) if number not in taken)
        resource.prlimit(member.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
        try:
            for wire in member.wires.values():
                if dice.random() < 0.5:
                    wire.reset_connections()
            await asyncio.sleep(dice.uniform(0.5, 3))
        finally:
            if not member.dead:
                resource.prlimit(member.pid, resource.RLIMIT_NOFILE, before)
        member.up.set()

    async def _stop(self, least: float, most: float, dice: random.Random) -> None:
        member = await self._taken(dice)
        member.send(signal.SIGSTOP)
        await asyncio.sleep(dice.uniform(least, most))
        member.send(signal.SIGCONT)
        member.up.set()

    async def _kill_runner(self, dice: random.Random) -> None:
        dice.choice(self._members).tell(KillRunner())

    async def _freeze_runner(self, dice: random.Random) -> None:
        dice.choice(self._members).tell(FreezeRunner(dice.uniform(1, self._lease_seconds + 3)))

    async def _break_gateway(self, dice: random.Random) -> None:
        dice.choice(self._members).tell(BreakGateway(dice.uniform(0.5, self._lease_seconds)))

    async def _skew(self, dice: random.Random) -> None:
        member = dice.choice(self._members)
        member.ahead_seconds = dice.uniform(-MOST_SKEW_SECONDS, MOST_SKEW_SECONDS)
        member.tell(Skew(member.ahead_seconds))

    # -- the network between one worker and Redis

    def _wires(self, dice: random.Random) -> list[RespProxy]:
        return list(dice.choice(self._members).wires.values())

    async def _cut(self, dice: random.Random) -> None:
        await self._while(dice, 0.3, self._lease_seconds + 3, RespProxy.cut)

    async def _stall(self, dice: random.Random) -> None:
        await self._while(dice, 0.3, self._lease_seconds + 4, RespProxy.stall)

    async def _slow(self, dice: random.Random) -> None:
        delay = dice.uniform(0.01, 0.3)
        await self._while(dice, 0.5, 2.0, lambda wire: wire.delay(delay))

    async def _while(self, dice: random.Random, least: float, most: float, act: Callable[[RespProxy], None]) -> None:
        wires = self._wires(dice)
        for wire in wires:
            act(wire)
        await asyncio.sleep(dice.uniform(least, most))
        for wire in wires:
            wire.heal()

    async def _reset(self, dice: random.Random) -> None:
        for wire in self._wires(dice):
            wire.reset_connections()

    async def _lose_reply(self, dice: random.Random, times: int = 1) -> None:
        """After execution."""
        for wire in self._wires(dice):
            wire.drop_reply(dice.randrange(1, 30), dice.choice(COMMANDS), times=times, hang=dice.random() < 0.2)

    # -- Redis and the receiver

    async def _befall(self, name: str, dice: random.Random) -> None:
        async with self._redis:
            fault = self._ground.faults()[name]
            await asyncio.get_running_loop().run_in_executor(self._threads, fault, dice)

    async def _receive(self, mode: str, dice: random.Random) -> None:
        async with self._calling:
            self._receiver.turn(mode)
            await asyncio.sleep(dice.uniform(0.5, 3))
            self._receiver.turn("ok")
