"""Claims what this worker has room for, and sees each lease through."""

import asyncio
from collections import OrderedDict

from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.dispatch import result_builder
from pageworker_supervisor.dispatch.attempt import Attempt, AttemptServices
from pageworker_supervisor.dispatch.claimed_job import ClaimedJob
from pageworker_supervisor.dispatch.signals import DispatchSignals
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.lease import Lease
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.pending_admissions import Admitting
from pageworker_supervisor.task_supervision import TaskExitedUnexpectedly
from pageworker_supervisor.telemetry import log

CLAIM_AT_MOST = 32
CANCELLED_EARLY = 256


class Dispatcher:
    """The loop between the queue and the fleet. `attempts` is keyed by lease token."""

    def __init__(
        self,
        name: str,
        queue: JobConsumer,
        availability: Availability,
        fleet: Fleet,
        tools: AttemptServices,
        signals: DispatchSignals,
    ) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.closing: dict[str, Lease] = {}
        """Leases of ending jobs, whose results are being written without a page."""
        self.draining = False
        self.closed = False
        """True: nothing is claimed here, drained or not, as no job could end well."""
        self.ended = asyncio.Event()
        """Set whenever a lease has come to its end here, or a claim."""
        self._claiming = False
        self._cancelled_early: OrderedDict[str, None] = OrderedDict()
        """Tokens that were cancelled before the reply of the claim that made them was read; the latest few."""
        self._queue = queue
        self._availability = availability
        self._fleet = fleet
        self._tools = tools
        self._signals = signals
        self._name = name

    @property
    def leases(self) -> list[Lease]:
        """Everything this worker owes an answer for."""
        return [attempt.case.lease for attempt in self.attempts.values()] + list(self.closing.values())

    @property
    def busy(self) -> bool:
        """Whether anything is still to be answered, or may come with the reply to a claim."""
        return bool(self.attempts or self.closing or self._claiming)

    async def run(self) -> None:
        """Claim for ever. Attempts that run are cancelled with this task; their leases then run out."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._fleet.changed.clear()
                self._signals.work.clear()
                if self.draining or self.closed or not await self._claim(tasks):
                    await self._signals.something(self._fleet.changed, self._fleet.next_evictable_in())

    async def _claim(self, tasks: asyncio.TaskGroup) -> bool:
        """One claim. True: there may be more to claim at once."""
        # Jobs are not begun whose end could not be told.
        await self._availability.wait_served()
        if self.draining:
            return False
        capacity = self._fleet.capacity(CLAIM_AT_MOST, self._admitting())
        self._claiming = True
        try:
            claimed = await self._availability.retry_until_available(lambda: self._queue.claim(self._name, capacity))
        finally:
            self._claiming = False
            self.ended.set()
        for lease in claimed.leases:
            self._start(tasks, lease)
        for lost in claimed.lost_profiles:
            self._fleet.kill_profile(lost, "its profile lock is lost")
        for wanted in claimed.wanted:
            self._fleet.free_slot_for(wanted)
        return bool(claimed.leases)

    def _start(self, tasks: asyncio.TaskGroup, lease: Lease) -> None:
        case = ClaimedJob(lease, parse_job(lease.body))
        if lease.ending is not None:
            self.closing[lease.token] = lease
            tasks.create_task(self._close(case), name=f"close {lease.ref}")
            return
        if self.draining:
            # The claim was under way when the drain began.
            self.closing[lease.token] = lease
            tasks.create_task(self._hand_back(case), name=f"hand back {lease.ref}")
            return
        attempt = Attempt(case, self._tools)
        self.attempts[lease.token] = attempt
        if lease.token in self._cancelled_early:
            tasks.create_task(attempt.stop("cancelled"))
        tasks.create_task(self._serve(tasks, attempt), name=f"job {lease.ref}")

    def cancel(self, tasks: asyncio.TaskGroup, token: str) -> None:
        """A cancellation of this lease's job was acknowledged: its handler stops, or never begins."""
        if (attempt := self.attempts.get(token)) is not None:
            tasks.create_task(attempt.stop("cancelled"))
            return
        self._cancelled_early[token] = None
        if len(self._cancelled_early) > CANCELLED_EARLY:
            self._cancelled_early.popitem(last=False)

    async def _serve(self, tasks: asyncio.TaskGroup, attempt: Attempt) -> None:
        expires = attempt.case.lease.begin_before is not None
        telling = tasks.create_task(attempt.tell_begun()) if expires else None
        try:
            await attempt.serve()
            await self._give_up_unused(attempt.case.lease)
        except asyncio.CancelledError as cancelled:
            # One that nobody asked for would end the attempt in silence, its job unanswered until the lease runs out.
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise TaskExitedUnexpectedly(f"job {attempt.case.lease.ref}") from cancelled
            raise
        finally:
            if telling is not None:
                telling.cancel()  # whatever ended the attempt has told it too
            del self.attempts[attempt.case.lease.token]
            if attempt.runner is not None and attempt.case.lease.exclusive:
                attempt.runner.solo = False
            self.ended.set()
            self._fleet.changed.set()

    async def _close(self, case: ClaimedJob) -> None:
        try:
            await self._tools.settlement.end(case, result_builder.end_without_running(case.lease))
        finally:
            del self.closing[case.lease.token]
            self.ended.set()

    async def _hand_back(self, case: ClaimedJob) -> None:
        try:
            await self._tools.settlement.requeue(case, "the worker is being drained")
            await self._give_up_unused(case.lease)
        finally:
            del self.closing[case.lease.token]
            self.ended.set()

    def _admitting(self) -> list[Admitting]:
        waiting = (attempt.case.lease for attempt in self.attempts.values() if attempt.admitting)
        return [Admitting(lease.context, lease.exclusive) for lease in waiting]

    def profiles(self) -> set[tuple[str, str, int]]:
        """`(tenant, profile, fence)` of every profile that is locked for this worker: open, or about to be opened."""
        leases = (attempt.case.lease for attempt in self.attempts.values() if attempt.admitting)
        claimed = {
            (*lease.context.profile, lease.profile_fence)
            for lease in leases
            if lease.context.profile is not None and lease.profile_fence is not None
        }
        return claimed.union(self._fleet.profiles())

    async def _give_up_unused(self, lease: Lease) -> None:
        """The claim locked a profile for this job. Where no runner opens it, nobody else would release it."""
        profile, fence = lease.context.profile, lease.profile_fence
        if profile is not None and fence is not None and (*profile, fence) not in self.profiles():
            await self._tools.settlement.release(*profile, fence)

    async def requeue_all(self, reason: str) -> int:
        """Drain's last step: stop what still runs and put it back, uncharged. Returns how many jobs are unfinished."""
        left = list(self.attempts.values())
        unfinished = len(left) + len(self.closing)
        async with asyncio.TaskGroup() as tasks:
            for attempt in left:
                tasks.create_task(attempt.requeue(reason))
        log.info("handed back", jobs=len(left), reason=reason)
        return unfinished
