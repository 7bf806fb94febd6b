"""One runner from the trusted side: its states, its pages and its jobs. Its processes are in sandboxed_runner.py."""

import asyncio
import time
from abc import ABC, abstractmethod
from math import inf
from typing import TYPE_CHECKING, Literal

from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.state_machine import next_state
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_supervisor.config.settings import PoolSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.runners.adoption import Adoption
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.errors import RunnerFailure, RunnerLost
from pageworker_supervisor.runners.handed_files import HandedFiles
from pageworker_supervisor.runners.limit_breach import EXHAUSTED, Breach
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages
from pageworker_supervisor.runners.placement import LINGER_SECONDS, RunnerSlot
from pageworker_supervisor.runners.resources import RunnerFolder, RunnerResources
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.runners.runner_end import Restart, RunnerEnd, RunnerEnding
from pageworker_supervisor.runners.runner_end_report import report_errors, report_failure
from pageworker_supervisor.runners.runner_events import RunnerEvents
from pageworker_supervisor.runners.runner_lines import write_line
from pageworker_supervisor.runners.runner_route import RunnerRoute
from pageworker_supervisor.runners.runner_state import NO_PROCESS, TAKES_JOBS, TRANSITIONS, RunnerEvent, RunnerState
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.runners.runner_wear import wear
from pageworker_supervisor.runners.spares import SPARE
from pageworker_supervisor.runners.start_failure import START_ERRORS, StartFailure, failure_of
from pageworker_supervisor.runners.watchdog import EnforcedLimits
from pageworker_supervisor.task_supervision import leaves
from pageworker_supervisor.telemetry import log

if TYPE_CHECKING:
    from loguru import Logger


class Runner(ABC):
    """A process tree that holds one browser context. A subclass starts and ends the processes, in `_serve_in`."""

    def __init__(
        self,
        runner_id: str,
        context: ContextKey,
        fence: int | None,
        resources: RunnerResources,
        events: RunnerEvents,
        *,
        probe: bool = False,
        comes_back: bool = False,
    ) -> None:
        """`fence`: the profile lock's, None for an ephemeral context. `probe`: the context failed to come up before.
        `comes_back`: the context has had jobs again after a pause."""
        self.runner_id = runner_id
        self.context = context
        self.fence = fence
        self.probe = probe
        self.state = RunnerState.STARTING
        self.jobs_done = 0
        self.since = time.monotonic()
        self.start_seconds = 0.0
        """How long it took to come up."""
        self.evidence: dict[str, str] = {}
        """What it reports of its own confinement."""
        self.proof: dict[str, str] = {}
        """What the kernel reports of it."""
        self.process: SandboxedProcess | None = None
        self.pong = self._last_ping = 0
        """Numbers of the last ping that it answered, and of the last one that was sent."""
        self._resources = resources
        self._events = events
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._up_since = inf
        self._connection: RunnerConnection | None = None
        self._end: RunnerLost | None = None
        self._why = RunnerEnd()
        self._limits = EnforcedLimits(resources.sandbox)
        self._told_to_stop, self._adoption = asyncio.Event(), Adoption()
        self.traffic = RunnerTraffic(
            context.tenant_id, lambda growth: resources.metrics.egress.add(self.context.tenant_id, growth)
        )
        """What it uses of the network."""
        self._pages = RunnerPages(self._page_released, self.traffic)
        self.running = self._pages.running
        """Pages whose attempt has no answer yet, by attempt id."""
        self._comes_back = comes_back
        self.route = RunnerRoute(runner_id, resources, lambda: self.context)
        self._closed_to_jobs, self._handed = False, HandedFiles()
        self._log = self._bound_log()

    @property
    def taken(self) -> int:
        """Pages that are reserved, in use or being recycled."""
        return self._pages.taken

    @property
    def pages(self) -> int:
        """Pages that it has, or is about to open."""
        return self._resources.pages(self.context)

    @property
    def last_used(self) -> float:
        """When a page was released last. Monotonic seconds."""
        return self._pages.last_used

    def slot(self) -> RunnerSlot:
        """This runner as placement sees it."""
        return RunnerSlot(
            runner_id=self.runner_id,
            context=self.context,
            # A context that failed to come up before gets no more than one job while it starts.
            pages=1 if self.probe and self.state is RunnerState.STARTING else self.pages,
            taken=self.taken,
            open=self.state in TAKES_JOBS and not self._pages.exclusive and not self._closed_to_jobs,
            since=self._up_since,
            last_used=self.last_used,
            start_seconds=self.start_seconds,
            recycling=self._pages.recycled_within(self.start_seconds),
            comes_back=self._comes_back,
            memory_bytes=self.memory_bytes,
            storing=self.state is RunnerState.STORING,
        )

    def adopt(self, context: ContextKey) -> None:
        """A spare that is up becomes the runner of this context until it ends. Raises ValueError if it is none."""
        if self.context != SPARE or self.state is not RunnerState.READY:
            raise ValueError(f"runner {self.runner_id} is no spare that is up")
        self.context = context
        self.traffic.tenant_id = context.tenant_id
        self._up_since = self._pages.last_used = time.monotonic()
        self._log = self._bound_log()
        self._log.info("spare runner is adopted")
        self._resources.metrics.runners.adopted()
        self._adoption.begin()

    def _bound_log(self) -> "Logger":
        tenant_id, profile_id = self.context.tenant_id, self.context.profile_id
        return log.bind(runner_id=self.runner_id, tenant_id=tenant_id, profile_id=profile_id)

    def reserve(self, *, exclusive: bool) -> PageReservation:
        """Reserve a page for a job that is about to be run. `exclusive`: no other job may join it."""
        if not self.taken and time.monotonic() - self.last_used > LINGER_SECONDS and self.jobs_done:
            self._comes_back = True
        return self._pages.reserve(self, exclusive=exclusive)

    def close_to_jobs(self) -> None:
        """Take no jobs for now: another runner may need its slot."""
        self._closed_to_jobs = True

    def open_to_jobs(self) -> None:
        """Take jobs again."""
        self._closed_to_jobs = False

    def _page_released(self) -> None:
        if self.context.isolation.one_job:
            self.retire("its job has ended")
        if not self.taken:
            self._step(RunnerEvent.EMPTIED)
        self._events.changed()

    def retire(self, reason: str, *, restart: Restart = None) -> None:
        """Take no more jobs; stop when the last one has left. `restart`: another runner has to start for that."""
        if self.state in TAKES_JOBS:
            self._log.info("runner retires", reason=reason)
            self._why.note(restart)
        self._step(RunnerEvent.RETIRE)
        if not self.taken:
            self._step(RunnerEvent.EMPTIED)
        self._events.changed()

    def retire_if_due(self, pool: PoolSettings) -> None:
        """Retire if it is worn, or was idle for too long."""
        now, most = time.monotonic(), self._resources.sandbox.memory_bytes
        if self.state is not RunnerState.READY:
            return
        if (why := wear(now - self.since, pool.max_age_seconds, self._limits.idle_memory, most)) is not None:
            self._resources.metrics.runners.retirement_asked(why)
            self.retire(f"worn by {why}", restart="retired")
        elif self.context != SPARE and not self.taken and now - self.last_used > pool.idle_seconds:
            self.retire("idle")

    def dismiss(self, reason: str) -> None:
        """Take its jobs from it, uncharged, and let it close its browser itself."""
        if self._end is None and self.state not in NO_PROCESS:
            self._log.warning("runner is dismissed", reason=reason)
            self._why.note("host")
            self._end = RunnerLost(reason, charged=False)
        self._step(RunnerEvent.DISMISS)
        self._pages.lose(self._end or RunnerLost(reason, charged=False))
        self._events.changed()

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None, restart: Restart = "hung") -> None:
        """End its whole process tree now. `charged`: its jobs may be the cause. `breach`: the limit that it exceeded.
        `restart`: in a word, without a breach."""
        if self._end is None and self.state not in NO_PROCESS:
            self._log.warning("runner is killed", reason=reason, limit=breach.limit if breach else None)
            self._end = self._lost(reason, charged=charged, breach=breach, restart=restart)
        self._step(RunnerEvent.KILL)

    @property
    def memory_bytes(self) -> int | None:
        """When it was last measured; None before, and without a process."""
        return None if self.state in NO_PROCESS else self._limits.memory_bytes or None

    @property
    def cpu_seconds(self) -> float:
        """CPU time of its processes when it was last measured."""
        return self._limits.cpu_seconds

    def _lost(self, reason: str, *, charged: bool, breach: Breach | None, restart: Restart = None) -> RunnerLost:
        self._why.note(restart, breach)
        if breach is not None:
            self._resources.metrics.runners.limit_breached(breach.limit)
        alone = breach is not None and self._pages.alone(breach)
        return RunnerLost(reason, charged=charged, breach=breach, alone=alone)

    def page_return_overdue(self) -> str | None:
        """An attempt whose page should be free again: cleaning and replacing a page have their time limits."""
        return self._pages.overdue(self._resources.pool.recycle_seconds)

    async def live(self) -> StartFailure | None:
        """Bring it up, serve, and be gone. Returns when no process of its tree is left, and its profile is stored.

        Where it did not come up, returns why. The caller decides what that means for its jobs and calls `not_started`.
        """
        errors: list[BaseException] = []
        told_to_go = False
        try:
            async with self._resources.folder(self.context, self.fence) as folder:
                self._events.folder_open(self)
                await self._serve_in(folder)
                told_to_go = self.state is RunnerState.STOPPING
                self._step(RunnerEvent.EXITED)
                self._events.changed()
                # Jobs that wait for an answer get it first. The next opening measures the profile, too.
                if not self.running and self._end is None:
                    await self._limits.profile_closed(folder, self.jobs_done, self._resources.metrics)
                await folder.keep(self._why.closed_in_order, self._why.browser_version)
        except* START_ERRORS as group:
            errors.extend(leaves(group))
        finally:
            told_to_go = told_to_go or self.state is RunnerState.STOPPING
            self.state = next_state(TRANSITIONS, self.state, RunnerEvent.ENDED)
            # What the jobs are told becomes part of their results, and errors may name paths of the host.
            reason = "its worker could not serve the runner: see its log" if errors else self._why.exit_reason
            if self._end is None and self.running and (breach := self._limits.kernel_breach(self.process)) is not None:
                self._end = self._lost(breach.message, charged=True, breach=breach)
            ending = RunnerEnding(self._up.done(), self._end is not None, told_to_go)
            self._why.count(ending, self._resources.metrics.runners, self.process)
            lost = self._end or RunnerLost(reason, charged=True)
            self._pages.lose(lost)
            self._adoption.lose(lost.reason)
            self._events.changed()
        if self._up.done():
            report_errors(errors, self._log)
            return None
        failure = failure_of(errors, str(self._end or ""), told_to_go=told_to_go)
        report_failure(failure, self._log, self._resources.metrics.runners, told_to_go=told_to_go)
        return failure

    def not_started(self, error: RunnerFailure) -> None:
        """It never came up: the jobs that reserved its pages get this error."""
        if not self._up.done():
            self._up.set_exception(self._end if self._end is not None and not self._end.charged else error)
            self._up.exception()  # marked as seen: no job may be waiting for it

    @abstractmethod
    async def _serve_in(self, folder: RunnerFolder) -> None:
        """Start it with this folder, call `_came_up`, and return when no process of its tree is left."""

    def _came_up(self) -> None:
        self._up_since = time.monotonic()
        self.start_seconds = self._up_since - self.since
        self._step(RunnerEvent.CAME_UP)
        self._up.set_result(None)
        self._events.came_up(self)
        self._events.changed()

    def _receive(self, message: m.Message, descriptors: list[int]) -> None:
        """Handle a message. Whatever a runner sends, it ends this runner at most, and never the worker."""
        try:
            self._handle(message, descriptors)
        except (ProtocolViolation, OSError):
            raise
        except Exception as bug:
            name = type(message).__name__
            self._log.opt(exception=bug).error("a message of the runner met a bug", message_type=name)
            raise ProtocolViolation(f"{name} could not be handled: {bug!r}") from bug

    def _handle(self, message: m.Message, descriptors: list[int]) -> None:
        match message:
            case m.Pong():
                self._pong(message.number)
            case m.LogLine():
                page = self.running.get(message.attempt_id or "")
                write_line(message, page, self._log)
            case m.Retire():
                self._resources.metrics.runners.retirement_asked(message.cause)
                self.retire(message.reason, restart="retired")
            case m.Accepted() | m.Offer() | m.ArtifactData() | m.Spans():
                tell_page(self.running[message.attempt_id], message, descriptors)
            case m.SecretRequest() | m.StepReport() | m.OnceRequest():
                tell_page(self.running[message.attempt_id], message, descriptors)
            case m.Done(failure=m.Failure()) if self._fails_past_a_limit(message):
                self._log.debug("the attempt's end is its runner's breach", attempt_id=message.attempt_id)
            case m.Done():
                self._done(message)
            case m.Free() if message.attempt_id in self.running:
                self._log.debug("a page of an attempt that its runner's breach ended", attempt_id=message.attempt_id)
            case m.Free():
                self._pages.free(message.attempt_id, message.profile)
            case _:
                raise ProtocolViolation(f"{type(message).__name__} after the start")

    def expect_pong(self, number: int) -> None:
        """A ping with this number is sent now."""
        self._last_ping = number

    def _pong(self, number: int) -> None:
        # An answer in advance does not count: it would hide an event loop that does not run.
        if self.pong < number <= self._last_ping:
            self.pong = number

    def _done(self, message: m.Done) -> None:
        self.jobs_done += 1
        self._resources.metrics.egress.count_blocked(self.context.tenant_id, message.blocked)
        self._pages.end(message)
        if message.failure is not None and message.failure.type in EXHAUSTED:
            self.retire(f"an attempt ended with {message.failure.type}", restart="retired")

    def _fails_past_a_limit(self, done: m.Done) -> bool:
        """An attempt that failed because of a limit: the limit is the reason, and the end of the runner."""
        breach = self._limits.breach_behind(done, self.process)
        if breach is not None:
            self.kill(breach.message, charged=True, breach=breach)
        return breach is not None

    def _step(self, event: RunnerEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)

    async def up(self) -> None:
        """Return when it has come up, and belongs to its tenant. Raises SpawnFailed, RunnerLost if it does not."""
        await asyncio.shield(self._up)
        await self._adoption.settled()

    async def load(self, bundle: VerifiedBundle) -> None:
        """Make sure that a module version is in the runner. Its hosts must be the runner's own. Raises RunnerLost."""
        await self.up()
        of_another = self.context.isolation.module not in ("", bundle.name)
        if of_another or self._resources.egress_sets.name(bundle.manifest.egress) != self.context.egress:
            # Placement ensures that. A module that reached another module's hosts would be worse than a lost runner.
            what = "must not share this runner" if of_another else "may reach other hosts than this runner"
            reason = f"{bundle.name} {bundle.version} {what}"
            raise RunnerLost(reason, charged=True)
        await self._alive().load(bundle)

    async def run(self, page: PageReservation, message: m.Run, bundle: VerifiedBundle) -> m.Done:
        """Run one attempt on its page, after `load` of its module. Raises RunnerLost.

        From now on the page is released when the runner reports that it is clean, or lost with the runner.
        """
        connection = self._alive()
        job = JobRef(message.tenant_id, message.job_id)
        job_log = page.log.bind(runner_id=self.runner_id, profile_id=self.context.profile_id)
        self._pages.begin(
            message.attempt_id, page, self._limits.memory_bytes, job_log, job=str(job), trace_id=message.trace_id
        )
        await connection.run(message, bundle, page.files)
        if self._handed.add(page.files):
            self.retire("it was handed many files", restart="retired")
        # Shielded: a caller whose time is up stops waiting, and then has to stop the attempt and hear how it ended.
        return await asyncio.shield(page.done)

    async def cancel(self, attempt_id: str, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Ask the handler to stop."""
        if self._connection is not None and attempt_id in self.running:
            await self._connection.cancel(attempt_id, outcome)

    async def grant(self, page: PageReservation, offer: m.Offer) -> None:
        """Let an attempt hand over the artifact that it offers, if it still does."""
        if self._connection is not None and page.is_open(offer):
            await self._connection.grant(offer)

    async def answer(self, page: PageReservation, answer: m.SecretAnswer | m.OnceAnswer) -> None:
        """Answer the request of an attempt, if it still runs."""
        if self._connection is not None and not page.done.done():
            await self._connection.answer(answer)

    def _alive(self) -> RunnerConnection:
        if self._connection is None or self.state is RunnerState.STOPPING or self.state in NO_PROCESS:
            raise self._end or RunnerLost("the runner is going", charged=False)
        return self._connection
