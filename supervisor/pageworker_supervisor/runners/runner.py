"""One runner from the trusted side: brought up, spoken to, watched, and always gone at the end."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

from pageworker_profiles.errors import ProfileError
from pageworker_sandbox import memfd
from pageworker_sandbox.egress.errors import EgressError
from pageworker_sandbox.launch import HostUnfit, SandboxedProcess, SandboxSpec, launch
from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.state_machine import next_state
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.cpu_budget import CpuBudget
from pageworker_sandbox.wire.errors import ChannelClosed, OutputExceeded, ProtocolViolation
from pageworker_sandbox.wire.permits import Permits
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import BrowserNotReady, RunnerFailure, RunnerLost, SpawnFailed
from pageworker_supervisor.runners.handshake import Handshake
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.loaded_modules import LoadedModules
from pageworker_supervisor.runners.placement import LINGER_SECONDS, RunnerSlot
from pageworker_supervisor.runners.resources import RunnerFolder, RunnerResources
from pageworker_supervisor.runners.runner_limits import EXHAUSTED, EnforcedLimits, is_alone
from pageworker_supervisor.runners.runner_state import TAKES_JOBS, TRANSITIONS, RunnerEvent, RunnerState
from pageworker_supervisor.runners.running_attempt import SentAttempt
from pageworker_supervisor.runners.start_failure import Blame, StartFailure, explain
from pageworker_supervisor.runners.watchdog import watch
from pageworker_supervisor.task_supervision import leaves
from pageworker_supervisor.telemetry import log

RUNNERS_SHARE = 0.5
"""Of the worker's one thread, that its runners may take together with what they say; who says more waits."""
SHARE_BURST_SECONDS = 0.5
SHARE_PAUSE_SECONDS = 0.005
RECYCLINGS = 4
RECYCLING_SLACK_SECONDS = 5.0
"""A page comes back within four time limits of recycling: it is cleaned, or replaced, the context is wiped, and it may
have waited for another one's wiping; and a busy host takes its time."""
START_ERRORS = (HostUnfit, ProfileError, EgressError, OSError, SpawnFailed)
"""What may end a start. Anything else is a bug."""


@dataclass(frozen=True)
class RunnerEvents:
    """What a runner tells its fleet, as calls."""

    changed: Callable[[], None]
    """It may take more or fewer jobs than before."""
    folder_open: Callable[["Runner"], None]
    """Its context's folder is open: from here on it needs a runner slot."""
    came_up: Callable[["Runner"], None]


class Runner:
    """A sandboxed runner that holds one browser context."""

    def __init__(
        self, runner_id: str, context: ContextKey, fence: int | None, resources: RunnerResources, events: RunnerEvents
    ) -> None:
        self.runner_id = runner_id
        self.context = context
        self.fence = fence
        self.life = RunnerState.STARTING
        self.running: dict[str, SentAttempt] = {}
        self.jobs_done = 0
        self.taken = 0
        """Pages that are promised, in use, or being recycled."""
        self.solo = False
        """True while a job that must run alone has, or waits for, this runner."""
        self.reserved = False
        """True while another runner that may need its slot opens its folder."""
        self.probe = False
        """True: its context failed to come up before, and no other start of it goes on."""
        self.comes_back = False
        """Its context has had jobs again after a pause."""
        self.since = self.last_used = time.monotonic()
        self.up_since = inf
        self.start_seconds = 0.0
        self.evidence: dict[str, str] = {}
        self.proof: dict[str, str] = {}
        self.cell: SandboxedProcess | None = None
        self.pong = 0
        self._resources = resources
        self._events = events
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._permits = Permits()
        self._channel: Channel | None = None
        self._loading = asyncio.Lock()
        self._modules = LoadedModules()
        self._end: RunnerLost | None = None
        self._limits = EnforcedLimits(resources.settings.sandbox)
        self._told_to_stop = asyncio.Event()
        self._freed = asyncio.Event()
        self._recycling: dict[str, float] = {}
        """Attempts that are done, and since when their page is being recycled. Monotonic seconds."""
        self._log = log.bind(runner_id=runner_id, tenant_id=context.tenant_id, profile_id=context.profile_id)

    def slot(self) -> RunnerSlot:
        """This runner in placement's picture."""
        now = time.monotonic()
        starting = self.life is RunnerState.STARTING
        return RunnerSlot(
            runner_id=self.runner_id,
            context=self.context,
            # One that may well not come up is given no more than one job.
            pages=1 if self.probe and starting else self._resources.settings.pool.pages,
            taken=self.taken,
            open=self.life in TAKES_JOBS and not self.solo and not self.reserved,
            since=self.up_since,
            last_used=self.last_used,
            start_seconds=self.start_seconds,
            recycling=sum(now - since < self.start_seconds for since in self._recycling.values()),
            comes_back=self.comes_back,
        )

    def reserve(self) -> None:
        """One page is promised to a job that is about to be run."""
        if not self.taken and time.monotonic() - self.last_used > LINGER_SECONDS and self.jobs_done:
            self.comes_back = True
        self.taken += 1

    def release(self) -> None:
        """A promised or used page is free again."""
        self.taken -= 1
        self._freed.set()
        self.last_used = time.monotonic()
        if not self.taken:
            self._step(RunnerEvent.EMPTIED)
        self._events.changed()

    async def wait_until_exclusive(self) -> None:
        """Return when the caller's promised page is the only one taken."""
        while self.taken > 1:
            self._freed.clear()
            await self._freed.wait()

    def retire(self, reason: str) -> None:
        """Take no more jobs; stop when the last one has left."""
        if self.life in TAKES_JOBS:
            self._log.info("runner retires", reason=reason)
        self._step(RunnerEvent.RETIRE)
        if not self.taken:
            self._step(RunnerEvent.EMPTIED)
        self._events.changed()

    def dismiss(self, reason: str) -> None:
        """Take its jobs from it, uncharged, and let it close its browser in good order."""
        if self._end is None and self.life is not RunnerState.GONE:
            self._log.warning("runner is dismissed", reason=reason)
            self._end = RunnerLost(reason, charged=False)
        self._step(RunnerEvent.DISMISS)
        for running in self.running.values():
            running.lose(self._end or RunnerLost(reason, charged=False))
        self._events.changed()

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None) -> None:
        """End its whole process tree now. `charged`: its jobs are suspects. `breach`: the limit that it is past."""
        if self._end is None and self.life is not RunnerState.GONE:
            self._log.warning("runner is killed", reason=reason, limit=breach.limit if breach else None)
            self._end = self._lost(reason, charged=charged, breach=breach)
        self._step(RunnerEvent.KILL)

    @property
    def memory_bytes(self) -> int | None:
        """When it was last measured; None before."""
        return self._limits.memory_bytes or None

    def _lost(self, reason: str, *, charged: bool, breach: Breach | None) -> RunnerLost:
        if breach is not None:
            self._resources.metrics.limit_breached(breach.limit)
        alone = breach is not None and is_alone(breach, self.running.values(), self._recycling)
        return RunnerLost(reason, charged=charged, breach=breach, alone=alone)

    def page_return_overdue(self) -> str | None:
        """An attempt whose page should have come back: to clean it and to replace it both have their time limits."""
        most = self._resources.settings.pool.recycle_seconds * RECYCLINGS + RECYCLING_SLACK_SECONDS
        begun = time.monotonic() - most
        return next((attempt_id for attempt_id, since in self._recycling.items() if since < begun), None)

    async def live(self) -> StartFailure | None:
        """Bring it up, serve, and be gone. Returns when no process of its tree is left.

        Where it did not come up, returns why; who knows what that means for its jobs calls `not_started`.
        """
        errors: list[BaseException] = []
        try:
            async with self._resources.folder(self.context, self.fence) as folder:
                self._events.folder_open(self)
                await self._serve_in(folder)
                # Those that wait for an answer get it first: the next opening measures, too.
                if not self.running and self._end is None:
                    await self._limits.profile_closed(folder, self.jobs_done, self._resources.metrics)
        except* START_ERRORS as group:
            errors.extend(leaves(group))
        finally:
            self._resources.metrics.ended(self._how_it_ended())
            told_to_go = self.life is RunnerState.STOPPING
            self.life = next_state(TRANSITIONS, self.life, RunnerEvent.EXITED)
            reason = "; ".join(map(str, errors)) or "the runner exited"
            if self._end is None and self.running and (breach := self._limits.kernel_breach(self.cell)) is not None:
                self._end = self._lost(breach.message, charged=True, breach=breach)
            for running in self.running.values():
                running.lose(self._end or RunnerLost(reason, charged=True))
            self._events.changed()
        if self._up.done():
            if errors:
                self._log.error("runner ended with an error", reason=reason)
            return None
        return self._why_not_started(errors, told_to_go)

    def not_started(self, error: RunnerFailure) -> None:
        """It never came up: what the jobs that it was promised to get to hear."""
        if not self._up.done():
            self._up.set_exception(self._end if self._end is not None and not self._end.charged else error)
            self._up.exception()  # marked as seen: no job may be waiting for it

    def _why_not_started(self, errors: list[BaseException], told_to_go: bool) -> StartFailure:
        if told_to_go:
            return StartFailure(Blame.NOBODY, str(self._end or "it was told to go"))
        failure = explain(errors[0] if errors else BrowserNotReady(str(self._end or "the runner exited")))
        if failure.breach is not None:
            self._resources.metrics.limit_breached(failure.breach.limit)
        self._log.error("runner did not come up", reason=failure.reason, blame=failure.blame.name.lower())
        return failure

    def _how_it_ended(self) -> str:
        if not self._up.done():
            return "not_started"
        if self._end is not None:
            return "killed"
        return "retired" if self.life is RunnerState.STOPPING else "crashed"

    async def _serve_in(self, folder: RunnerFolder) -> None:
        sandbox = self._resources.settings.sandbox
        self.cell = cell = await launch(
            self._resources.host,
            SandboxSpec(
                runner_id=self.runner_id,
                uid=folder.uid,
                profile_dir=folder.path,
                memory_bytes=sandbox.memory_bytes,
                processes=sandbox.processes,
                scratch_bytes=sandbox.scratch_bytes,
                scratch_files=sandbox.scratch_files,
            ),
        )
        share = CpuBudget(
            RUNNERS_SHARE / self._resources.settings.pool.runners, SHARE_BURST_SECONDS, SHARE_PAUSE_SECONDS
        )
        channel = Channel(cell.channel, m.TO_RUNNER, m.TO_SUPERVISOR, share)
        try:
            if self.life is RunnerState.STOPPING:
                # Told to go before there was a process to tell: nobody would ever say it again.
                raise SpawnFailed("it was told to go")
            await self._boot(cell, channel)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(watch(self, channel, cell, self._limits, folder))
                tasks.create_task(self._stop_gently(channel, cell))
                await self._receive(channel, share)
        except* ChannelClosed:
            self._log.info("runner is gone", stderr=cell.stderr[-2000:])
        except* ProtocolViolation as group:
            violation = group.exceptions[0]
            self._log.error("runner broke the protocol", reason=str(violation))
            breach = None
            if isinstance(violation, OutputExceeded):
                breach = Breach("output_limit", violation.used, violation.allowed, violation.unit)
            self._end = self._lost(f"protocol violation: {violation}", charged=True, breach=breach)
        except* OSError as group:
            # Of ours: descriptors or memory are used up. Neither the runner nor its jobs are to blame.
            self._log.error("runner lost by its host", reason=str(group.exceptions[0]))
            self._end = self._lost(f"the host: {group.exceptions[0]}", charged=False, breach=None)
        finally:
            # Shielded: a cancelled daemon still waits until the tree is gone, or it would leave its user in use.
            await asyncio.shield(self._leave(cell, channel))

    async def _leave(self, cell: SandboxedProcess, channel: Channel) -> None:
        cell.kill()
        channel.close()
        await cell.wait()
        await self._resources.outlet.detach(self.runner_id)

    async def _boot(self, cell: SandboxedProcess, channel: Channel) -> None:
        said: list[str] = []

        def note(line: m.LogLine) -> None:
            said.append(line.message)
            self._write_log(line)

        boot = Handshake(self.runner_id, self.context, self._resources, channel, self._permits, note)
        try:
            async with asyncio.timeout(self._resources.settings.pool.start_seconds):
                ready = await boot.run()
        except (TimeoutError, ChannelClosed) as error:
            why = str(error) or "too slow"
            # What it said itself tells more than the chatter of Chromium that ends its stderr.
            words = said[-1] if said else cell.stderr[-2000:]
            raise BrowserNotReady(f"it did not get ready ({why}); its last words: {words}") from error
        self.evidence = dict(ready.evidence)
        self.proof = await cell.proof()
        self._channel = channel
        self._came_up()
        self._resources.metrics.spawned(self.start_seconds)
        self._log.info("runner is ready", browser=ready.browser_version, seconds=round(self.start_seconds, 3))

    def _came_up(self) -> None:
        self.up_since = time.monotonic()
        self.start_seconds = self.up_since - self.since
        self._step(RunnerEvent.CAME_UP)
        self._up.set_result(None)
        self._events.came_up(self)
        self._events.changed()

    async def _receive(self, channel: Channel, share: CpuBudget) -> None:
        while True:
            message, descriptors = await channel.receive()
            since = time.perf_counter()
            try:
                self._permits.receive(message)
                self._handle(message, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            share.spend(since)

    def _handle(self, message: m.Message, descriptors: list[int]) -> None:
        match message:
            case m.Pong():
                self.pong = message.number
            case m.LogLine():
                self._write_log(message)
            case m.Retire():
                self.retire(message.reason)
            case m.Accepted():
                self.running[message.attempt_id].accept(message.page)
            case m.Offer():
                self.running[message.attempt_id].offer(message)
            case m.ArtifactData():
                self.running[message.attempt_id].deliver(message, descriptors.pop())
            case m.Done() if self._fails_past_a_limit(message):
                self._log.debug("the attempt's end is its runner's breach", attempt_id=message.attempt_id)
            case m.Done():
                self.jobs_done += 1
                self._recycling[message.attempt_id] = time.monotonic()
                self.running.pop(message.attempt_id).end(message)
                if message.failure is not None and message.failure.type in EXHAUSTED:
                    self.retire(f"an attempt ended with {message.failure.type}")
            case m.Free():
                del self._recycling[message.attempt_id]
                self.release()
            case _:
                raise ProtocolViolation(f"{type(message).__name__} after the start")

    def _fails_past_a_limit(self, done: m.Done) -> bool:
        """An attempt that failed because of a limit: the limit is the reason, and the end of the runner."""
        breach = self._limits.breach_behind(done, self.cell)
        if breach is not None:
            self.kill(breach.message, charged=True, breach=breach)
        return breach is not None

    def _write_log(self, line: m.LogLine) -> None:
        running = self.running.get(line.attempt_id or "")
        bound = self._log.bind(job=str(running.ref)) if running else self._log
        bound.bind(**{f"module_{key}": value for key, value in line.fields.items()}).log(
            line.level.upper(), "module: {}", line.message
        )

    def _step(self, event: RunnerEvent) -> None:
        before, self.life = self.life, next_state(TRANSITIONS, self.life, event)
        if self.life is not RunnerState.STOPPING or self.cell is None:
            return
        if event is RunnerEvent.KILL or self._channel is None:
            # Before it is up there is nothing to close in good order.
            self.cell.kill()
        elif before is not RunnerState.STOPPING:
            self._told_to_stop.set()

    async def _stop_gently(self, channel: Channel, cell: SandboxedProcess) -> None:
        """Once told to: let the browser flush its profile, then make sure."""
        await self._told_to_stop.wait()
        try:
            async with asyncio.timeout(self._resources.settings.pool.kill_grace_seconds):
                await channel.send(m.Stop())
                await cell.wait()
        except TimeoutError:
            self._log.warning("runner did not stop by itself")
        cell.kill()

    async def up(self) -> None:
        """Return when it has come up. Raises SpawnFailed where it does not."""
        await asyncio.shield(self._up)

    async def load(self, bundle: VerifiedBundle) -> None:
        """Make sure that a module version is in the runner. Its hosts must be the runner's own."""
        await self.up()
        async with self._loading:
            await self._load(bundle)

    async def _load(self, bundle: VerifiedBundle) -> None:
        """Send the version unless the runner has it, and have it unload those that are past the bound."""
        channel = self._alive()
        if not self._modules.use(bundle.name, bundle.version):
            if self._resources.egress_sets.name(bundle.manifest.egress) != self.context.egress:
                # Placement sees to that. A module that reached another one's hosts would be worse than a job that dies.
                reason = f"{bundle.name} {bundle.version} may reach other hosts than this runner"
                raise RunnerLost(reason, charged=True)
            await self._send_module(channel, bundle)
            for name, version in self._modules.add(bundle.name, bundle.version, len(bundle.data)):
                await channel.send(m.Forget(name=name, version=version))

    async def _send_module(self, channel: Channel, bundle: VerifiedBundle) -> None:
        descriptor = memfd.seal(bundle.data, bundle.name)
        try:
            message = m.Module(
                name=bundle.name,
                version=bundle.version,
                sha256=bundle.sha256,
                entrypoint=bundle.manifest.entrypoint,
            )
            await channel.send(message, [descriptor])
        finally:
            os.close(descriptor)

    async def run(self, running: SentAttempt, words: m.Run, bundle: VerifiedBundle) -> m.Done:
        """Run one attempt of a module on a page that was promised. Raises RunnerLost.

        From here on the page is given back by the runner's own Free, or by its death.
        """
        channel = self._alive()
        self._permits.sent(running.attempt_id)
        running.memory_before_bytes = self._limits.memory_bytes
        self.running[running.attempt_id] = running
        try:
            # One step: between the module and its Run, no other load may have the runner unload that module.
            async with self._loading:
                await self._load(bundle)
                await channel.send(words)
        except ChannelClosed:
            self._log.debug("runner went away before it took the job", job=str(running.ref))
        # Shielded: a caller whose time is up stops waiting, and then has to stop the attempt and hear how it ended.
        return await asyncio.shield(running.done)

    async def cancel(self, attempt_id: str, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Ask the handler to stop."""
        if self._channel is not None and attempt_id in self.running:
            try:
                await self._channel.send(m.Cancel(attempt_id=attempt_id, outcome=outcome))
            except ChannelClosed:
                self._log.debug("runner went away before it was told to cancel")

    async def grant(self, running: SentAttempt, offer: m.Offer) -> None:
        """Let an attempt hand over the artifact that it offers, if it still does."""
        if self._channel is not None and running.is_open(offer):
            self._permits.granted(offer.attempt_id)
            try:
                await self._channel.send(m.Grant(attempt_id=offer.attempt_id, number=offer.number))
            except ChannelClosed:
                self._log.debug("runner went away before it was granted room for an artifact")

    def _alive(self) -> Channel:
        if self._channel is None or self.life in (RunnerState.STOPPING, RunnerState.GONE):
            raise self._end or RunnerLost("the runner is going", charged=False)
        return self._channel
