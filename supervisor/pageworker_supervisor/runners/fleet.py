"""All runners of this worker: which context each one holds, which start and which go."""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.host.load_level import LoadLevel
from pageworker_supervisor.queue.claim import Capacity
from pageworker_supervisor.runners.ephemeral_age import too_old
from pageworker_supervisor.runners.errors import RunnerLost
from pageworker_supervisor.runners.host_probe import HostProbe, ProbeEffects
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.placement import (
    NO_TENANT,
    STARTS_IDLE,
    Adopt,
    PendingPlacement,
    RunnerSlot,
    Spawn,
    Use,
    capacity,
    holder_with_other_values,
    may_retire,
    next_evictable_in,
    place,
    select_retirement,
    surplus,
    with_pending,
    without_jobs,
)
from pageworker_supervisor.runners.probe_runner import ProbeEnvironment, ProbeRunner
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_events import RunnerEvents
from pageworker_supervisor.runners.sandboxed_runner import SandboxedRunner
from pageworker_supervisor.runners.spare_keeper import SpareEffects, SpareKeeper
from pageworker_supervisor.runners.spares import SPARE, UNASSIGNED
from pageworker_supervisor.runners.start_failure import StartFailure
from pageworker_supervisor.runners.start_judge import StartJudge

IDLE_CHECK_SECONDS = 5.0
ProfileRelease = Coroutine[Any, Any, None]


class Fleet:
    """Owns every runner from its start to its end.

    `on_gone(context, fence)` is awaited when a runner's whole process tree has ended: only then may its profile lock be
    released.
    """

    def __init__(
        self,
        name: str,
        resources: RunnerResources,
        probe_paths: tuple[Path | None, Path | None],
        on_gone: Callable[[ContextKey, int | None], ProfileRelease],
    ) -> None:
        """`probe_paths`: the configured Python and browser, which a probe looks for anew."""
        self.changed = asyncio.Event()
        """Set when the fleet may take more or fewer jobs than before."""
        self.runners: dict[str, Runner] = {}
        self._judge = StartJudge(resources.worker_id, resources.metrics, resources.decisions, self.look)
        self._starts = self._judge.history
        self._resting = False
        self._level = LoadLevel.OPEN
        self._replaces: dict[str, str] = {}
        """Runners that open their folder, and the idle runner whose slot each of them is to have."""
        probes = ProbeEnvironment(lambda on: self._new_runner(NO_TENANT, None, on), self._probe_gone)
        self._probes = ProbeRunner(self.runners, self._judge, probe_paths, probes)
        self._probe = HostProbe(self._starts.host, ProbeEffects(self._start_probe, self._may_probe))
        spares = SpareEffects(self._start_spare, self._may_start_spare, lambda: self._resources)
        self._spares = SpareKeeper(self.runners, self._judge, spares)
        self._events = RunnerEvents(self._notify, self._folder_open, self._came_up)
        self._came_back: dict[ContextKey, float] = {}
        """Contexts whose idle runner was replaced, and until when their next start counts as coming back."""
        self._gone = asyncio.Event()
        self._resources = resources
        self._on_gone = on_gone
        self._terms: dict[str, object] = {}
        """What each runner was started with."""
        self._names = (f"{name}.{number}" for number in itertools.count(1))
        self._tasks: asyncio.TaskGroup | None = None
        self._rules = resources.pool_rules
        self._reroute = asyncio.Event()

    def reroute(self) -> None:
        """A proxy policy or its login has changed: the runners that have it follow."""
        self._reroute.set()

    def use(self, resources: RunnerResources) -> None:
        """Start runners with these resources from now on. `host` stays: a probe may have found another one.

        A runner that was started on other terms takes no more jobs, and goes when those that it has are done. So do
        those above a lower `pool.runners`, the idle ones first.
        """
        self._resources = replace(resources, host=self._resources.host)
        self._rules = resources.pool_rules
        self.reroute()
        for runner in list(self.runners.values()):
            if runner.context != NO_TENANT and self._terms[runner.runner_id] != self._resources.terms(runner.context):
                runner.retire("its settings have changed", restart="retired")
        for runner_id in surplus(self.slots(), self._rules):
            self.runners[runner_id].retire("pool.runners is lower than before")
        self.look()

    async def run(self) -> None:
        """Host the runners for ever. On cancellation all of them end before this returns."""
        async with TaskGroup() as self._tasks:
            self._tasks.create_task(self._probe.run(), name="host probe")
            self._tasks.create_task(self._spares.run(), name="spare runners")
            self._tasks.create_task(self._reroute_changed(), name="reroute runners")
            await self._close_idle()

    def slots(self) -> list[RunnerSlot]:
        """The fleet as placement sees it. Probes and spares are not in it: they take no runner slot from any job."""
        return [runner.slot() for runner in self.runners.values() if runner.context not in UNASSIGNED]

    def admit(self, level: LoadLevel) -> None:
        """Claim no more than this level permits, from the next claim on."""
        self._level = level
        self._notify()

    def capacity(self, limit: int, pending: Iterable[PendingPlacement] = ()) -> Capacity:
        """What this worker can claim now, beside the `pending` leases that are claimed and not placed yet.

        There are no free runner slots while no browser starts here, or while the load of the host is too high for one.
        """
        now = time.monotonic()
        coming = (lease for lease in pending if self._starts.refusal(lease.context, now) is None)
        slots = with_pending(self.slots(), self._rules, now, coming)
        broken = tuple(self._starts.broken_capacity(now, max(0, self._rules.runners - len(slots))))
        found = capacity(slots, self._rules, now, limit, starts=self._may_start(), broken=broken)
        return without_jobs(found) if self._level is LoadLevel.NO_JOBS else found

    def trouble(self) -> str | None:
        """Why no runner can be started now; None while runners start."""
        return self._resources.gateway.trouble or self._starts.host.trouble

    def next_evictable_in(self) -> float | None:
        """Seconds until time alone frees a runner slot, or lets a waiting tenant have one."""
        now = time.monotonic()
        waits = (next_evictable_in(self.slots(), self._rules, now), self._starts.changes_in(now))
        return min((wait for wait in waits if wait is not None), default=None)

    def reserve(self, context: ContextKey, fence: int | None, *, exclusive: bool) -> PageReservation | None:
        """A page for one job of `context`; None if there is none now and the job must be requeued.

        Raises ContextBroken if the context does not come up and its jobs end with an error.
        """
        now = time.monotonic()
        careful = self._starts.careful(context, now)
        # A context that failed lately has a runner of its own start: that decides what becomes of its breaker.
        spare = None if self._starts.until(context) else self._spares.choose(context)
        match place(self.slots(), self._rules, now, context, exclusive=exclusive, careful=careful, spare=spare):
            case Use(runner_id):
                runner = self.runners[runner_id]
            case Adopt(runner_id, evict) if self._may_start() and self._starts.permits(context, now):
                runner = self._adopt(runner_id, context, evict)
            case Spawn(evict) if self._may_start() and self._starts.permits(context, now):
                runner = self._spawn(context, fence)
                if evict is not None:
                    self.runners[evict].close_to_jobs()
                    self._replaces[runner.runner_id] = evict
            case _:
                if (broken := self._starts.refusal(context, now)) is not None:
                    raise broken
                return None
        return runner.reserve(exclusive=exclusive)

    def free_slot_for(self, wanted: ContextKey) -> None:
        """A context waits for a runner here: retire the runner that has its profile open with other hosts, else the one
        that has had its slot longest."""
        now = time.monotonic()
        if not self._may_start() or not self._starts.permits(wanted, now) or self._starts.careful(wanted, now):
            return
        if (holder := holder_with_other_values(self.slots(), wanted)) is not None:
            if holder.open and may_retire(holder, self._rules, now):
                self.runners[holder.runner_id].retire("its profile is wanted with other hosts or options")
            return
        chosen = select_retirement(self.slots(), self._rules, now, wanted)
        if chosen is not None:
            self.runners[chosen].retire("another tenant's turn")

    def retire_profile(self, profile: tuple[str, str], reason: str) -> None:
        """Retire the runner of a profile, `(tenant, profile)`."""
        for runner in self.runners.values():
            if runner.context.profile == profile:
                runner.retire(reason)

    def kill_profile(self, profile: tuple[str, str], reason: str, fence: int | None = None) -> bool:
        """Kill the runner of a profile: another worker may hold the profile already. Returns whether there is one.

        `fence`: only a runner that has the profile open under this fence.
        """
        killed = False
        for runner in self.runners.values():
            if runner.context.profile == profile and fence in (None, runner.fence):
                runner.kill(reason, charged=False, restart="host")
                killed = True
        return killed

    def kill_all(self, reason: str) -> None:
        """Kill every runner. Its jobs are not to blame."""
        for runner in list(self.runners.values()):
            runner.kill(reason, charged=False, restart="host")

    def dismiss(self, runner_id: str, reason: str) -> None:
        """One runner has become useless: it goes, and its jobs run on another one."""
        if (runner := self.runners.get(runner_id)) is not None:
            runner.dismiss(reason)

    def retire_all(self, reason: str) -> None:
        """Let every runner finish and go, and start none until `resume`."""
        self._resting = True
        self._judge.rest()
        for runner in list(self.runners.values()):
            runner.retire(reason)

    def resume(self) -> None:
        """Start runners again."""
        self._resting = False
        self._judge.resume()
        self.look()

    def look(self) -> None:
        """Check again what may be started."""
        self._probe.look()
        self._spares.look()
        self._notify()

    async def empty(self) -> None:
        """Return when no runner is left."""
        while self.runners:
            await self.one_gone()

    async def one_gone(self) -> None:
        """Return when the next runner has ended."""
        self._gone.clear()
        await self._gone.wait()

    def profiles(self) -> list[tuple[str, str, int]]:
        """`(tenant, profile, fence)` of every profile that is open here."""
        return [
            (*runner.context.profile, runner.fence)
            for runner in self.runners.values()
            if runner.context.profile is not None and runner.fence is not None
        ]

    def _may_start_spare(self) -> bool:
        return self._may_start() and self._level is LoadLevel.OPEN

    def _may_start(self) -> bool:
        unfit = self._resting or self._starts.host.closed or self._resources.gateway.trouble
        return not unfit and self._level is LoadLevel.OPEN

    def _spawn(self, context: ContextKey, fence: int | None) -> Runner:
        if self._tasks is None:
            raise RuntimeError("the fleet does not run")
        runner = self._new_runner(
            context,
            fence,
            self._resources,
            probe=self._starts.begin(context),
            comes_back=self._came_back.pop(context, 0.0) > time.monotonic(),
        )
        for other in self._probes.running():
            other.kill("another start tells as much", charged=False, restart=None)
        self.runners[runner.runner_id] = runner
        self._terms[runner.runner_id] = self._resources.terms(context)
        self._tasks.create_task(self._host(runner), name=f"runner {runner.runner_id}")
        return runner

    def _adopt(self, runner_id: str, context: ContextKey, evict: str | None) -> Runner:
        runner = self.runners[runner_id]
        self._terms[runner_id] = self._resources.terms(context)
        runner.adopt(context)
        if evict is not None:
            self._replace(self.runners[evict])
        self._spares.look()
        return runner

    def _start_spare(self) -> None:
        if self._tasks is None:
            raise RuntimeError("the fleet does not run")
        runner = self._new_runner(SPARE, None, self._resources)
        self.runners[runner.runner_id] = runner
        self._terms[runner.runner_id] = self._resources.terms(SPARE)
        self._tasks.create_task(self._host(runner), name=f"spare runner {runner.runner_id}")

    async def _start_probe(self) -> None:
        if (host := await self._probes.examine(self._resources)) is not None:
            # The settings may have changed meanwhile.
            self._resources = replace(self._resources, host=host)
            await self._probes.start(self._resources)

    def _probe_gone(self) -> None:
        self._gone.set()
        self._notify()

    def _may_probe(self) -> bool:
        # A probe starts even if all runner slots are taken. Otherwise a worker full of healthy idle runners would never
        # learn whether the host starts browsers again, and a job that waits for that would wait for ever.
        return not (self._resting or self._resources.gateway.trouble or self._probes.starts_under_way())

    def _new_runner(
        self,
        context: ContextKey,
        fence: int | None,
        resources: RunnerResources,
        *,
        probe: bool = False,
        comes_back: bool = False,
    ) -> Runner:
        return SandboxedRunner(
            next(self._names), context, fence, resources, self._events, probe=probe, comes_back=comes_back
        )

    async def _host(self, runner: Runner) -> None:
        failure: StartFailure | None = None
        try:
            failure = await runner.live()
        finally:
            del self.runners[runner.runner_id]
            self._terms.pop(runner.runner_id, None)
            self._gone.set()
            if (kept := self.runners.get(self._replaces.pop(runner.runner_id, ""))) is not None:
                kept.open_to_jobs()
        if runner.context == SPARE:
            self._spares.gone(failure)
            self.look()
            return
        self.look()
        ended = time.monotonic()
        if failure is None:
            # In a task of its own, for the reason that `SandboxedRunner._let_it_exit` has: a call that Redis does not
            # answer in time would end as CancelledError, and the profile would stay locked.
            async with TaskGroup() as tasks:
                tasks.create_task(self._on_gone(runner.context, runner.fence))
            return
        # Before its profile lock is released: the next start must wait for what is learnt of this one.
        self._starts.suspect(runner.context)
        async with TaskGroup() as tasks:
            tasks.create_task(self._on_gone(runner.context, runner.fence))
            try:
                runner.not_started(await self._judge.judge(runner.context, failure, runner.since, ended))
            finally:
                self._judge.judged(runner.context, probe=runner.probe)

    async def _reroute_changed(self) -> NoReturn:
        while True:
            await self._reroute.wait()
            self._reroute.clear()
            for runner in [one for one in self.runners.values() if one.context.proxy]:
                try:
                    await runner.route.renew()
                except RunnerLost as lost:
                    runner.retire(lost.reason, restart="host")

    def _folder_open(self, runner: Runner) -> None:
        if (evict := self.runners.get(self._replaces.pop(runner.runner_id, ""))) is not None:
            evict.open_to_jobs()
            self._replace(evict)

    def _replace(self, idle: Runner) -> None:
        self._came_back[idle.context] = idle.last_used + STARTS_IDLE * idle.start_seconds
        idle.retire("its runner slot is needed")

    def _came_up(self, runner: Runner) -> None:
        if runner.context == SPARE:
            self._spares.came_up()
        if runner.context.proxy:
            # Its policy may have changed while it started.
            self.reroute()
        self._judge.came_up(runner.context, probe=runner.probe)
        for other in self._probes.running():
            other.retire("it is known that browsers start here")

    def _notify(self) -> None:
        self.changed.set()

    async def _close_idle(self) -> None:
        while True:
            idle_seconds = self._resources.pool.idle_seconds
            ephemeral_seconds = self._resources.pool.ephemeral_seconds
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, idle_seconds, ephemeral_seconds))
            now = time.monotonic()
            for runner_id in too_old(self.slots(), ephemeral_seconds, now):
                self.runners[runner_id].retire("its ephemeral context is as old as it may be", restart="retired")
            for runner in list(self.runners.values()):
                runner.retire_if_due(self._resources.pool)
            self._came_back = {context: until for context, until in self._came_back.items() if until > now}
            self._notify()
