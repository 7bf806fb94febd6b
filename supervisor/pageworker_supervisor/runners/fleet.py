"""All runners of this worker: who holds which context, who comes and who goes."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable

from pageworker_supervisor.dispatch.admitting import Admitting, assume, may_go, other_set
from pageworker_supervisor.dispatch.placement import (
    Rules,
    Seat,
    Spawn,
    Use,
    capacity,
    place,
    ripens_in,
    victim,
)
from pageworker_supervisor.engine.context_key import ContextKey
from pageworker_supervisor.engine.types import Capacity
from pageworker_supervisor.runners.backoff import SpawnBackoff
from pageworker_supervisor.runners.house import House
from pageworker_supervisor.runners.life import Life
from pageworker_supervisor.runners.runner import Runner

IDLE_CHECK_SECONDS = 5.0


class Fleet:
    """Owns every runner from spawn to gone.

    `on_gone(context, fence)` is awaited when a runner's whole process tree has ended: only then may its
    profile be given up.
    """

    def __init__(self, name: str, house: House, on_gone: Callable[[ContextKey, int | None], Awaitable[None]]) -> None:
        self.changed = asyncio.Event()
        self.runners: dict[str, Runner] = {}
        self.backoff = SpawnBackoff()
        self._gone = asyncio.Event()
        self._house = house
        self._on_gone = on_gone
        self._names = (f"{name}.{number}" for number in itertools.count(1))
        self._tasks: asyncio.TaskGroup | None = None
        pool = house.settings.pool
        self._rules = Rules(pool.runners, pool.pages, pool.residency_seconds)

    async def run(self) -> None:
        """Host the runners' lives for ever; on cancellation all of them end before this returns."""
        async with asyncio.TaskGroup() as self._tasks:
            await self._close_idle()

    def seats(self) -> list[Seat]:
        """The fleet in placement's picture."""
        return [runner.seat() for runner in self.runners.values()]

    def capacity(self, limit: int, admitting: Iterable[Admitting] = ()) -> Capacity:
        """What this worker can claim now, beside what is claimed and not placed yet; no rooms while spawning fails."""
        rules = self._rules
        if self.backoff.closed(time.monotonic()):
            rules = Rules(len(self.runners), rules.pages, float("inf"))
        now = time.monotonic()
        return capacity(assume(self.seats(), self._rules, now, admitting), rules, now, limit)

    def ripens_in(self) -> float | None:
        """Seconds until time alone makes room, or lets a waiting tenant take a place."""
        return ripens_in(self.seats(), self._rules, time.monotonic())

    def promise(self, context: ContextKey, fence: int | None, *, solo: bool) -> Runner | None:
        """A page for one job of `context`, now; None where there is none and the job must be given back."""
        match place(self.seats(), self._rules, time.monotonic(), context, solo=solo):
            case Use(runner_id):
                runner = self.runners[runner_id]
            case Spawn(evict):
                if evict is not None:
                    self.runners[evict].retire("its place is needed")
                runner = self._spawn(context, fence)
            case None:
                return None
        runner.promise()
        runner.solo = runner.solo or solo
        return runner

    def make_room(self, wanted: ContextKey) -> None:
        """A context waits that has no place here: retire the runner that has its profile open with other hosts, else
        the one that has held its place longest."""
        now = time.monotonic()
        if (holder := other_set(self.seats(), wanted)) is not None:
            if holder.open and may_go(holder, self._rules, now):
                self.runners[holder.runner_id].retire("its profile is wanted with other hosts")
            return
        chosen = victim(self.seats(), self._rules, now, wanted)
        if chosen is not None:
            self.runners[chosen].retire("another tenant's turn")

    def retire_profile(self, profile: tuple[str, str], reason: str) -> None:
        """Let go of a profile, `(tenant, profile)`, for instance one that another worker asks for."""
        for runner in self.runners.values():
            if runner.context.profile == profile:
                runner.retire(reason)

    def kill_profile(self, profile: tuple[str, str], reason: str) -> None:
        """End the runner of a profile now: somebody else may hold the profile already."""
        for runner in self.runners.values():
            if runner.context.profile == profile:
                runner.kill(reason, charged=False)

    def retire_all(self, reason: str) -> None:
        """Let every runner finish and go."""
        for runner in list(self.runners.values()):
            runner.retire(reason)

    async def empty(self) -> None:
        """Return when no runner is left."""
        while self.runners:
            self._gone.clear()
            await self._gone.wait()

    def profiles(self) -> list[tuple[str, str, int]]:
        """`(tenant, profile, fence)` of every profile that is open here."""
        return [
            (*runner.context.profile, runner.fence)
            for runner in self.runners.values()
            if runner.context.profile is not None and runner.fence is not None
        ]

    def _spawn(self, context: ContextKey, fence: int | None) -> Runner:
        if self._tasks is None:
            raise RuntimeError("the fleet does not run")
        runner = Runner(next(self._names), context, fence, self._house, self._notify)
        self.runners[runner.runner_id] = runner
        self._tasks.create_task(self._host(runner), name=f"runner {runner.runner_id}")
        return runner

    async def _host(self, runner: Runner) -> None:
        came_up = False
        try:
            await runner.live()
            came_up = bool(runner.evidence)
        finally:
            del self.runners[runner.runner_id]
            self._gone.set()
            if runner.refused is None:
                # A profile that is too large says nothing of how starts go here.
                self.backoff.spawned(time.monotonic(), ok=came_up)
            self._notify()
        await self._on_gone(runner.context, runner.fence)

    def _notify(self) -> None:
        self.changed.set()

    async def _close_idle(self) -> None:
        idle_seconds = self._house.settings.pool.idle_seconds
        while True:
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, idle_seconds))
            now = time.monotonic()
            for runner in list(self.runners.values()):
                if runner.life is Life.READY and not runner.taken and now - runner.last_used > idle_seconds:
                    runner.retire("idle")
            if self.backoff.closed(now) is False:
                self._notify()
