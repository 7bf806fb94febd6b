"""Claims what this worker has capacity for, and gives each lease an attempt. Listens for notices. Owns the drain."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakSet

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.dispatch.attempt_services import AttemptServices
from pageworker_supervisor.dispatch.attempt_state import AttemptState
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.wakeup import (
    AskNotice,
    CancelNotice,
    ConfigNotice,
    Notice,
    PauseNotice,
    ReportNotice,
    RolloutNotice,
)
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.placement import PendingPlacement
from pageworker_supervisor.task_supervision import TaskExitedUnexpectedly
from pageworker_supervisor.telemetry import AUDIT, log

LEASES_PER_CLAIM = 32
CANCELLED_EARLY = 256
NOTICE_WAIT_SECONDS = 7.5
CANCEL_SECONDS = 15.0
"""After a drain cancels jobs: time for their handlers to stop, or for their runners to be killed."""

Cancel = Callable[[JobRef], Coroutine[Any, Any, None]]


class DrainCancelled(Exception):
    """The worker takes jobs again before the drain was done."""


@dataclass(frozen=True)
class DrainStep:
    """What a drain waits for. `over`: the drain is done; `left` jobs were not finished by its deadline."""

    event: Literal["waiting", "ended", "requeued", "over"]
    attempt: Attempt | None = None
    left: int = 0


class Dispatcher:
    """The loop between the queue and the fleet. `attempts` is keyed by lease token."""

    def __init__(
        self,
        name: str,
        queue: JobConsumer,
        availability: Availability,
        fleet: Fleet,
        services: AttemptServices,
        *,
        closed: bool = False,
    ) -> None:
        """`closed`: claim nothing, drained or not, because no job could succeed."""
        self._on_config_notice: Callable[[], None] = lambda: None
        self._on_report_notice: Callable[[], None] = lambda: None
        self._on_rollout_notice: Callable[[], None] = lambda: None
        self.attempts: dict[str, Attempt] = {}
        self.closing: dict[str, Attempt] = {}
        """Leases that are settled without a page: their jobs are to be ended, or the worker drains."""
        self._requeueing: dict[str, Attempt] = {}
        """Attempts that a drain has stopped, and whose jobs are not back in the queue yet."""
        self._requeued: WeakSet[Attempt] = WeakSet()
        """Those of them whose job did not end here after all. A drain looks after another has requeued its attempts."""
        self._requeues = 0
        """How many of them are on their way back."""
        self.served = 0
        """Attempts that had a page, and have ended."""
        self.draining = False
        self.closed = closed
        self._held = False
        self._ended = asyncio.Event()
        """Set whenever a lease or a claim has ended, or the drain has."""
        self._claiming = False
        self._cancelled_early: OrderedDict[str, None] = OrderedDict()
        """Tokens that were cancelled before the reply of the claim that made them was read; the latest few."""
        self._queue = queue
        self._availability = availability
        self._fleet = fleet
        self._services = services
        self._name = name
        self._work = asyncio.Event()
        """Set when there may be work in Redis."""
        self._round = asyncio.Event()
        """Set at the end of a round of the claim loop. Each round has its own."""

    @property
    def leases(self) -> list[Lease]:
        """Every lease that this worker holds."""
        return [attempt.lease for attempt in (*self.attempts.values(), *self.closing.values())]

    @property
    def unsettled(self) -> list[Lease]:
        """Every lease whose job has neither ended nor gone back to the queue, as far as Redis has told."""
        held = self.attempts | self.closing | self._requeueing
        return [attempt.lease for attempt in held.values()]

    @property
    def busy(self) -> bool:
        """Whether any lease is unsettled, or may come with the reply to a claim."""
        return bool(self.attempts or self.closing or self._claiming)

    async def run(self) -> None:
        """Claim for ever. Attempts that run are cancelled with this task; their leases then run out."""
        async with TaskGroup() as tasks:
            while True:
                self._fleet.changed.clear()
                self._work.clear()
                idle = self.draining or self.closed or self._held or not await self._claim(tasks)
                self._round.set()
                self._round = asyncio.Event()
                if idle:
                    await self._something_to_do()

    async def makes_rounds(self, seconds: float) -> bool:
        """Whether the claim loop, when it is woken, makes a round within `seconds`, or is known to wait for Redis."""
        self._work.set()
        ends = self._round
        try:
            async with asyncio.timeout(seconds):
                await ends.wait()
        except TimeoutError:
            return bool(self._availability.trouble or self._availability.lost_condition)
        return True

    async def listen(self) -> None:
        """Wait in Redis for new work, cancellations, and profiles that other workers ask for, for ever."""
        async with TaskGroup() as tasks:
            while True:
                # A job that was pushed while Redis did not answer may have woken no worker: claim after each failure.
                wake = await self._availability.retry_until_available(
                    lambda: self._queue.wait(self._name, NOTICE_WAIT_SECONDS), self._work.set
                )
                for notice in wake.control:
                    self._act(tasks, notice)
                if wake.work:
                    self._work.set()

    def _act(self, tasks: asyncio.TaskGroup, notice: Notice) -> None:
        match notice:
            case CancelNotice(_, token):
                self.cancel(tasks, token)
            case AskNotice(tenant_id, profile_id):
                self._fleet.retire_profile((tenant_id, profile_id), "another worker asks for its profile")
            case ConfigNotice():
                self._on_config_notice()
            case PauseNotice(event, detail):
                log.bind(**detail).log(AUDIT, event)
            case ReportNotice():
                self._on_report_notice()
            case RolloutNotice():
                self._on_rollout_notice()

    async def _something_to_do(self) -> None:
        """Return when there is work in Redis, the fleet changed, or time has freed a runner slot."""
        async with TaskGroup() as tasks:
            waits = [tasks.create_task(event.wait()) for event in (self._work, self._fleet.changed)]
            timeout = self._fleet.next_evictable_in()
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _claim(self, tasks: asyncio.TaskGroup) -> bool:
        """Claim once. True: there may be more to claim at once."""
        # A job whose end could not be stored does not begin.
        await self._availability.wait_served()
        if self.draining or self._held:
            return False
        capacity = self._fleet.capacity(LEASES_PER_CLAIM, self._pending())
        self._claiming = True
        asked_at = time.monotonic()
        try:
            claimed = await self._availability.retry_until_available(lambda: self._queue.claim(self._name, capacity))
        finally:
            self._claiming = False
            self._ended.set()
        for lease in claimed.leases:
            self._start(tasks, lease, asked_at)
        for lost in claimed.lost_profiles:
            self._fleet.kill_profile(lost, "its profile lock is lost")
        for wanted in claimed.wanted:
            self._fleet.free_slot_for(wanted)
        return bool(claimed.leases)

    def _start(self, tasks: asyncio.TaskGroup, lease: Lease, asked_at: float) -> None:
        attempt = Attempt(lease, self._services, asked_at)
        if lease.ending is not None:
            self.closing[lease.token] = attempt
            tasks.create_task(attempt.contain(self._close(attempt)), name=f"close {lease.ref}")
            return
        if self.draining:
            # The claim was under way when the drain began.
            self.closing[lease.token] = attempt
            tasks.create_task(attempt.contain(self._requeue_at_once(attempt)), name=f"requeue {lease.ref}")
            return
        self.attempts[lease.token] = attempt
        if lease.token in self._cancelled_early:
            tasks.create_task(attempt.contain(attempt.stop("cancelled")))
        tasks.create_task(attempt.contain(self._serve(tasks, attempt)), name=f"job {lease.ref}")

    def cancel(self, tasks: asyncio.TaskGroup, token: str) -> None:
        """A cancellation of this lease's job was acknowledged: its handler stops, or never begins."""
        if (attempt := self.attempts.get(token)) is not None:
            tasks.create_task(attempt.contain(attempt.stop("cancelled")))
            return
        self._cancelled_early[token] = None
        if len(self._cancelled_early) > CANCELLED_EARLY:
            self._cancelled_early.popitem(last=False)

    async def _serve(self, tasks: asyncio.TaskGroup, attempt: Attempt) -> None:
        telling = tasks.create_task(_tell_begun(attempt))
        try:
            await attempt.serve()
            if not attempt.profile_released:
                await self._release_unused_profile(attempt.lease)
        except asyncio.CancelledError as cancelled:
            # A stray cancellation would end the attempt silently, and its job would wait until the lease runs out.
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise TaskExitedUnexpectedly(f"job {attempt.lease.ref}") from cancelled
            raise
        finally:
            telling.cancel()  # the attempt's own queue call says it too
            del self.attempts[attempt.lease.token]
            self.served += attempt.runner is not None
            self._ended.set()
            self._fleet.changed.set()

    async def _close(self, attempt: Attempt) -> None:
        try:
            await attempt.close()
        finally:
            del self.closing[attempt.lease.token]
            self._ended.set()

    async def _requeue_at_once(self, attempt: Attempt) -> None:
        try:
            await attempt.requeue_at_once("the worker is being drained")
            await self._release_unused_profile(attempt.lease)
        finally:
            del self.closing[attempt.lease.token]
            self._ended.set()

    async def _requeue(self, attempt: Attempt, reason: str) -> None:
        # It leaves `attempts` as soon as it has stopped, which may be long before Redis has its job back.
        self._requeueing[attempt.lease.token] = attempt
        self._requeues += 1
        try:
            self._requeued.add(attempt)
            if not await attempt.requeue(reason):
                self._requeued.discard(attempt)
            del self._requeueing[attempt.lease.token]
        finally:
            self._requeues -= 1
            self._ended.set()

    def _pending(self) -> list[PendingPlacement]:
        admitting = (one.lease for one in self.attempts.values() if one.state is AttemptState.ADMITTING)
        return [PendingPlacement(lease.context, lease.exclusive) for lease in admitting]

    def profiles(self) -> set[tuple[str, str, int]]:
        """`(tenant, profile, fence)` of every profile that is locked for this worker: open, or about to be opened."""
        unplaced = (
            attempt.lease.profile_lock
            for attempt in self.attempts.values()
            if attempt.runner is None and attempt.state is not AttemptState.ENDED
        )
        return {lock for lock in unplaced if lock is not None}.union(self._fleet.profiles())

    async def _release_unused_profile(self, lease: Lease) -> None:
        """The claim locked a profile for this job. If no runner opens it, the lock is released here."""
        if lease.profile_lock is not None and lease.profile_lock not in self.profiles():
            await self._services.settlement.release(*lease.profile_lock)

    async def drain(self, seconds: float, cancel: Cancel | None = None) -> AsyncIterator[DrainStep]:
        """Claim no more, wait for the running attempts, and after `seconds` requeue those that still run.

        An attempt whose handler has ended, and which only stores artifacts, ends then without those that are missing.

        `cancel`: called with each job that still runs then, in place of requeuing it; it cancels the job. What does not
        stop within CANCEL_SECONDS is requeued. Yields a step for each attempt that is waited for, for each that ended,
        and for each that was requeued; at last `over`. Raises DrainCancelled when `undrain` is called meanwhile.
        """
        self.draining = True
        waited = dict(self.attempts)
        for attempt in waited.values():
            yield DrainStep("waiting", attempt)
        async for step in self._ends(waited, seconds):
            yield step
        if cancel is not None and self.attempts:
            async with TaskGroup() as tasks:
                for attempt in self.attempts.values():
                    tasks.create_task(attempt.contain(cancel(attempt.lease.ref)))
            async for step in self._ends(waited, CANCEL_SECONDS):
                yield step
        left = await self._requeue_all("the worker is drained")
        for attempt in waited.values():
            yield DrainStep("requeued" if attempt in self._requeued else "ended", attempt)
        yield DrainStep("over", left=left)

    async def _ends(self, waited: dict[str, Attempt], seconds: float) -> AsyncIterator[DrainStep]:
        """Yield a step for each of `waited` that ends within `seconds`, and take it out. Raises DrainCancelled."""
        try:
            async with asyncio.timeout(seconds):
                while self.busy:
                    self._ended.clear()
                    await self._ended.wait()
                    self._check_draining()
                    for token in [token for token in waited if token not in self.attempts]:
                        yield DrainStep("ended", waited.pop(token))
        except TimeoutError:
            pass
        self._check_draining()

    def use(self, services: AttemptServices) -> None:
        """Give attempts these services from now on. Those that run keep theirs."""
        self._services = services

    def on_config_notice(self, action: Callable[[], None]) -> None:
        """Call `action` when the central configuration has changed, or a change waits for a vote."""
        self._on_config_notice = action

    def on_report_notice(self, action: Callable[[], None]) -> None:
        """Call `action` when a stored drain has changed."""
        self._on_report_notice = action

    def on_rollout_notice(self, action: Callable[[], None]) -> None:
        """Call `action` when a rollout entry has changed."""
        self._on_rollout_notice = action

    def hold(self, held: bool) -> None:
        """Claim nothing while held: this worker could not run jobs as the rest of the fleet does."""
        self._held = held
        self._work.set()

    def undrain(self) -> None:
        """Claim again. A drain that is under way is cancelled."""
        self.draining = False
        self._ended.set()
        self._work.set()

    def _check_draining(self) -> None:
        if not self.draining:
            raise DrainCancelled

    async def _requeue_all(self, reason: str) -> int:
        """Stop what still runs and requeue it, uncharged. Returns how many jobs are unfinished."""
        closing, running = len(self.closing), self.attempts | self._requeueing
        # Another drain may be requeueing the others.
        left = [attempt for token, attempt in self.attempts.items() if token not in self._requeueing]
        async with TaskGroup() as tasks:
            for attempt in left:
                tasks.create_task(attempt.contain(self._requeue(attempt, reason)))
        while self._requeues:
            self._ended.clear()
            await self._ended.wait()
        log.info("jobs requeued", jobs=sum(attempt in self._requeued for attempt in left), reason=reason)
        return closing + sum(attempt in self._requeued for attempt in running.values())


async def _tell_begun(attempt: Attempt) -> None:
    # The coroutine is made here, not by the caller: the task may be cancelled before its first step.
    await attempt.contain(attempt.tell_begun())
