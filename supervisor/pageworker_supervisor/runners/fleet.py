"""All runners of this worker: who holds which context, who comes and who goes."""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from pageworker_sandbox.launch import HostUnfit, survey
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.capacity import Capacity
from pageworker_supervisor.runners.errors import RunnerFailure, RunnerLost, SpawnFailed
from pageworker_supervisor.runners.host_probe import HostProbe, ProbeEffects
from pageworker_supervisor.runners.pending_admissions import Admitting, assume, may_go, other_set
from pageworker_supervisor.runners.placement import (
    NOBODY,
    STARTS_IDLE,
    PoolRules,
    RunnerSlot,
    Spawn,
    Use,
    capacity,
    next_evictable_in,
    place,
    select_eviction,
)
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner import Runner, RunnerEvents
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_history import StartBlame, Starts
from pageworker_supervisor.telemetry import log

IDLE_CHECK_SECONDS = 5.0
Released = Coroutine[Any, Any, None]


class Fleet:
    """Owns every runner from spawn to gone.

    `on_gone(context, fence)` is awaited when a runner's whole process tree has ended: only then may its
    profile be given up.
    """

    def __init__(
        self, name: str, resources: RunnerResources, on_gone: Callable[[ContextKey, int | None], Released]
    ) -> None:
        self.changed = asyncio.Event()
        self.runners: dict[str, Runner] = {}
        self.starts = Starts()
        self._told = asyncio.Event()
        """Set, and replaced, whenever a start has told something of the host."""
        self._resting = False
        self._replaces: dict[str, str] = {}
        """Runners that open their folder, and the idle runner whose slot each of them is to have."""
        self._probe = HostProbe(self.starts.host, ProbeEffects(self._start_probe, self._may_probe))
        self._events = RunnerEvents(self._notify, self._folder_open, self._came_up)
        self._came_back: dict[ContextKey, float] = {}
        """Contexts whose idle runner was replaced, and until when their next start counts as coming back."""
        self._gone = asyncio.Event()
        self._resources = resources
        self._on_gone = on_gone
        self._names = (f"{name}.{number}" for number in itertools.count(1))
        self._tasks: asyncio.TaskGroup | None = None
        pool = resources.settings.pool
        self._rules = PoolRules(pool.runners, pool.pages, pool.residency_seconds)

    async def run(self) -> None:
        """Host the runners' lives for ever; on cancellation all of them end before this returns."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._probe.run(), name="host probe")
            await self._close_idle()

    def slots(self) -> list[RunnerSlot]:
        """The fleet in placement's picture. A probe is not in it: it takes no runner slot from any job."""
        return [runner.slot() for runner in self.runners.values() if runner.context != NOBODY]

    def capacity(self, limit: int, admitting: Iterable[Admitting] = ()) -> Capacity:
        """What this worker can claim now, beside what is claimed and not placed yet; no runner slots while no browser
        starts here."""
        now = time.monotonic()
        coming = (lease for lease in admitting if self.starts.refusal(lease.context, now) is None)
        seats = assume(self.slots(), self._rules, now, coming)
        broken = tuple(self.starts.named(now, self._rules.runners - len(seats)))
        return capacity(seats, self._rules, now, limit, starts=self._may_start(), broken=broken)

    def trouble(self) -> str | None:
        """Why no runner can be started now, where that is worth telling; None while all is well."""
        return self._resources.outlet.trouble or self.starts.host.trouble

    def next_evictable_in(self) -> float | None:
        """Seconds until time alone makes room, or lets a waiting tenant take a place."""
        now = time.monotonic()
        waits = (next_evictable_in(self.slots(), self._rules, now), self.starts.changes_in(now))
        return min((wait for wait in waits if wait is not None), default=None)

    def reserve(self, context: ContextKey, fence: int | None, *, solo: bool) -> Runner | None:
        """A page for one job of `context`, now; None where there is none and the job must be given back.

        Raises ContextBroken where the context does not come up, and the job is to end for it.
        """
        now = time.monotonic()
        careful = self.starts.careful(context, now)
        match place(self.slots(), self._rules, now, context, solo=solo, careful=careful):
            case Use(runner_id):
                runner = self.runners[runner_id]
            case Spawn(evict) if self._may_start() and self.starts.permits(context, now):
                runner = self._spawn(context, fence)
                if evict is not None:
                    self.runners[evict].reserved = True
                    self._replaces[runner.runner_id] = evict
            case _:
                if (broken := self.starts.refusal(context, now)) is not None:
                    raise broken
                return None
        runner.reserve()
        runner.solo = runner.solo or solo
        return runner

    def free_slot_for(self, wanted: ContextKey) -> None:
        """A context waits that has no place here: retire the runner that has its profile open with other hosts, else
        the one that has held its place longest."""
        now = time.monotonic()
        if not self._may_start() or not self.starts.permits(wanted, now) or self.starts.careful(wanted, now):
            return
        if (holder := other_set(self.slots(), wanted)) is not None:
            if holder.open and may_go(holder, self._rules, now):
                self.runners[holder.runner_id].retire("its profile is wanted with other hosts")
            return
        chosen = select_eviction(self.slots(), self._rules, now, wanted)
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

    def dismiss(self, runner_id: str, reason: str) -> None:
        """One runner is of no use any more: it goes, and its jobs run on another one."""
        if (runner := self.runners.get(runner_id)) is not None:
            runner.dismiss(reason)

    def retire_all(self, reason: str) -> None:
        """Let every runner finish and go, and start none until `resume`."""
        self._resting = True
        self._tell()
        for runner in list(self.runners.values()):
            runner.retire(reason)

    def resume(self) -> None:
        """Start runners again."""
        self._resting = False
        self.look()

    def look(self) -> None:
        """What may be started is another now."""
        self._probe.look()
        self._notify()

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

    def _may_start(self) -> bool:
        return not (self._resting or self.starts.host.closed or self._resources.outlet.trouble)

    def _spawn(self, context: ContextKey, fence: int | None) -> Runner:
        if self._tasks is None:
            raise RuntimeError("the fleet does not run")
        runner = self._new_runner(context, fence, self._resources)
        runner.probe = self.starts.begin(context)
        runner.comes_back = self._came_back.pop(context, 0.0) > time.monotonic()
        for other in list(self.runners.values()):
            if other.context == NOBODY:
                other.kill("another start tells as much", charged=False)
        self.runners[runner.runner_id] = runner
        self._tasks.create_task(self._host(runner), name=f"runner {runner.runner_id}")
        return runner

    def _new_runner(self, context: ContextKey, fence: int | None, resources: RunnerResources) -> Runner:
        return Runner(next(self._names), context, fence, resources, self._events)

    async def _host(self, runner: Runner) -> None:
        failure: StartFailure | None = None
        try:
            failure = await runner.live()
        finally:
            del self.runners[runner.runner_id]
            self._gone.set()
            if (kept := self._replaces.pop(runner.runner_id, None)) in self.runners:
                self.runners[kept].reserved = False
        self.look()
        ended = time.monotonic()
        if failure is None:
            await self._on_gone(runner.context, runner.fence)
            return
        # Before its profile is free again: its next start must wait for what is learnt of this one.
        self.starts.suspect(runner.context)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._on_gone(runner.context, runner.fence))
            try:
                runner.not_started(await self._judge(runner, failure, ended))
            finally:
                self.starts.decided(runner.context)
                if runner.probe:
                    self.starts.decided(runner.context)
                self._resources.metrics.contexts_broken(self.starts.broken())
                self.look()

    async def _judge(self, runner: Runner, failure: StartFailure, ended: float) -> RunnerFailure:
        """Whose fault it is that a runner did not come up, and what that means for its jobs."""
        blame = failure.blame
        if blame is Blame.HOST:
            self._blame_host(failure)
        elif blame is Blame.UNKNOWN:
            blame = await self._find_out(runner, ended)
        self._resources.metrics.start_failed(blame.name.lower())
        match blame:
            case Blame.CONTEXT:
                broken = self.starts.failed(runner.context, failure, time.monotonic())
                return broken if failure.charged else SpawnFailed(failure.summary)
            case Blame.HOST:
                return SpawnFailed(f"no browser starts on {self._resources.settings.worker.id}: {failure.summary}")
            case _:
                return RunnerLost(failure.summary, charged=False)

    async def _find_out(self, runner: Runner, ended: float) -> Blame:
        while True:
            told = self._told
            match self.starts.verdict(runner.context, runner.since, ended):
                case StartBlame.CONTEXT:
                    return Blame.CONTEXT
                case StartBlame.HOST:
                    return Blame.HOST
            if self._resting:
                return Blame.NOBODY
            self.starts.host.doubt()
            self.look()
            await told.wait()

    def _blame_host(self, failure: StartFailure) -> None:
        self.starts.host.failed(time.monotonic(), failure.summary)
        log.error("the host failed a start", reason=failure.summary, failures=self.starts.host.failures)
        self._tell()

    def _folder_open(self, runner: Runner) -> None:
        if (evict := self.runners.get(self._replaces.pop(runner.runner_id, ""))) is not None:
            evict.reserved = False
            self._came_back[evict.context] = evict.last_used + STARTS_IDLE * evict.start_seconds
            evict.retire("its runner slot is needed")

    def _came_up(self, runner: Runner) -> None:
        if runner.probe:
            self.starts.decided(runner.context)
        if self.starts.host.closed:
            log.info("browsers start again")
        self.starts.came_up(runner.context, time.monotonic())
        self._resources.metrics.contexts_broken(self.starts.broken())
        for other in list(self.runners.values()):
            if other.context == NOBODY:
                other.retire("it is known that browsers start here")
        self._tell()

    # ---- runners of nobody

    def _may_probe(self) -> bool:
        # Whether all runner slots are taken does not matter: else a worker full of healthy idle runners would never
        # learn whether the host starts browsers again, and a job that waits for that would wait for ever.
        others = any(runner.life is RunnerState.STARTING for runner in self.runners.values())
        return not (self._resting or self._resources.outlet.trouble or others)

    async def _start_probe(self) -> None:
        settings = self._resources.settings
        if self.starts.host.closed:
            # What was broken may have been replaced by something else: another browser, with other libraries.
            try:
                host = await asyncio.to_thread(survey, settings.sandbox.python, settings.browser.executable)
            except (HostUnfit, OSError) as unfit:
                self._blame_host(StartFailure(Blame.HOST, str(unfit)))
                return
            self._resources = replace(self._resources, host=host)
        one_page = msgspec.structs.replace(settings, pool=msgspec.structs.replace(settings.pool, pages=1))
        runner = self._new_runner(NOBODY, None, replace(self._resources, settings=one_page))
        self.runners[runner.runner_id] = runner
        try:
            failure = await runner.live()
        finally:
            del self.runners[runner.runner_id]
            self._gone.set()
            self._notify()
        if failure is not None and failure.blame is not Blame.NOBODY:
            self._resources.metrics.start_failed(Blame.HOST.name.lower())
            self._blame_host(failure)

    def _tell(self) -> None:
        told, self._told = self._told, asyncio.Event()
        told.set()
        self.look()

    def _notify(self) -> None:
        self.changed.set()

    async def _close_idle(self) -> None:
        idle_seconds = self._resources.settings.pool.idle_seconds
        while True:
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, idle_seconds))
            now = time.monotonic()
            for runner in list(self.runners.values()):
                if runner.life is RunnerState.READY and not runner.taken and now - runner.last_used > idle_seconds:
                    runner.retire("idle")
            self._came_back = {context: until for context, until in self._came_back.items() if until > now}
            self._notify()
