"""One try to run a claimed job: admit, place, prepare, run, settle. Its states are in attempt_state.py."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec

from pageworker_sandbox.page_rules import OptionRefused
from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.state_machine import next_state
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.egress_budget import NO_BUDGET
from pageworker_supervisor.contract.job_fields import fields_of_job
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.dispatch.artifact_uploads import ArtifactUploads
from pageworker_supervisor.dispatch.attempt_services import AttemptServices
from pageworker_supervisor.dispatch.attempt_spans import attempt_trace, handler_ended, settled_as, stepped
from pageworker_supervisor.dispatch.attempt_state import TRANSITIONS, AttemptEvent, AttemptState
from pageworker_supervisor.dispatch.attempt_use import attempt_use
from pageworker_supervisor.dispatch.begin_guard import BeginGuard, ImpossibleOutcome, NotBegun, begun_outcome
from pageworker_supervisor.dispatch.chosen_release import chosen_release
from pageworker_supervisor.dispatch.handler_stop import answer_in_time, end_past_budget, stop_handler
from pageworker_supervisor.dispatch.module_calls import serve_module_calls
from pageworker_supervisor.dispatch.outcome import (
    NotJson,
    attempt_number,
    end_without_running,
    outcome_of_answer,
    outcome_of_breach,
    trace_of,
    unbegun,
)
from pageworker_supervisor.dispatch.output_check import final_done
from pageworker_supervisor.dispatch.readable_job import UNREADABLE, readable_job
from pageworker_supervisor.dispatch.rejection import rejection_of
from pageworker_supervisor.dispatch.run_message import run_message
from pageworker_supervisor.dispatch.secret_requests import answer_secret_requests, secret_user
from pageworker_supervisor.dispatch.wanted_context import wanted_context
from pageworker_supervisor.files.errors import FileError, FilesCrowded
from pageworker_supervisor.files.job_files import HeldFiles
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.registry.resolve import check_allowed
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.runners.browser_flavors import FlavorMissing
from pageworker_supervisor.runners.budget_breach import BudgetBreach
from pageworker_supervisor.runners.egress_sets import DigestCollision
from pageworker_supervisor.runners.errors import RunnerLost, SpawnFailed
from pageworker_supervisor.runners.limit_breach import LIMIT_FAILURES, Breach
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.start_failure import ContextBroken
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.task_supervision import contained, ends_the_worker
from pageworker_supervisor.telemetry import log

if TYPE_CHECKING:
    from loguru import Logger

P = ParamSpec("P")

OTHER_WORKER_SECONDS = 30.0
"""Before the next worker tries a job that this one cannot run. A rolling update takes longer."""


class Attempt:
    """One claimed job at work. Whatever happens, it makes one queue call, or its lease is lost."""

    def __init__(self, lease: Lease, services: AttemptServices, asked_at: float | None = None) -> None:
        """`asked_at`: when its claim began, in monotonic seconds."""
        self.lease = lease
        self.job, self.unreadable = readable_job(lease, services.proxies.permits)
        """Unreadable: why this version cannot read it, since another version queued it; else None."""
        self.version: str | None = None
        """Of its module, once that is resolved."""
        self.rollout: Rollout | None = None  # the running one of which it is part
        self._bundle: VerifiedBundle | None = None
        self.number = attempt_number(self.job, lease)
        """Of this try, as in the result's `attempts`."""
        self.state = AttemptState.ADMITTING
        self.claimed_at = time.monotonic()
        self.left_at: float | None = None  # when it gave up its permits, before its end
        self.log: Logger = log.bind(**fields_of_job(self.job, trace_of(self.job)), attempt=self.number)
        self.proxy: str | None = None
        """Its proxy policy, and the upstream that was used last, as in the result's `attempts`."""
        self.trace = attempt_trace(services.tracer, self.job, lease, self.number, self.claimed_at, asked_at)
        """None: its job is not sampled."""
        self._services = services
        self._settlement = services.settlement
        self._page: PageReservation | None = None
        self._uploads: ArtifactUploads | None = None
        self._files = HeldFiles()
        self._over = asyncio.Event()
        self._budget = NO_BUDGET
        self._told_to: Literal["timed_out", "cancelled"] | None = None
        self._guard = BeginGuard(lease.begin_before)
        self._began = asyncio.Event()
        self.profile_released = False  # with the end of the job

    @property
    def begun(self) -> bool:
        """Whether the handler has begun."""
        return self._began.is_set()

    @property
    def runner(self) -> Runner | None:
        """The runner on which it has, or had, a page."""
        return self._page.runner if self._page is not None else None

    @property
    def traffic(self) -> Traffic:
        """What it has used of the network: so far, or in all once it has ended."""
        return self._page.traffic if self._page is not None else NO_TRAFFIC

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """What its module has reported so far."""
        return self._page.steps.records(self._page.started_at, self._page.masker) if self._page is not None else ()

    def use(self, outcome: str | None = None, error: str | None = None) -> bytes:
        """JSON of what it has used, for the job's history. `outcome` and `error`, an error type: how it ended."""
        now = self._services.config_version()
        return attempt_use(self.job, self.number, now, self._bundle, self._page, self.proxy, outcome, error)

    @property
    def has_unused_profile(self) -> bool:
        """Whether the claim locked a profile that no runner of this worker has open."""
        lock = self.lease.profile_lock
        return lock is not None and self.runner is None and lock not in self._services.fleet.profiles()

    @property
    def _sent(self) -> PageReservation | None:
        """Its page, once it was sent to the runner."""
        return self._page if self._page is not None and self._page.sent else None

    async def serve(self) -> None:
        """Run the job from its claim to its queue call. A bug ends this attempt, and not the worker with all others."""
        try:
            await self._serve()
        except Exception as bug:
            # The job may have caused it, and would end every worker in turn.
            if ends_the_worker(bug):
                raise
            await self._on_bug(bug)
        finally:
            self._files.close()
            self._step(AttemptEvent.END)
            self._over.set()

    async def _serve(self) -> None:
        try:
            if self.unreadable is not None:
                await self._settle(self._settlement.defer, f"{UNREADABLE}: {self.unreadable}", OTHER_WORKER_SECONDS)
                return
            async with self._guard.waiting():
                bundle = await stepped(self.trace, "module load", self._admit())
                if self.job.files:
                    self._files = await stepped(self.trace, "file fetch", self._services.files.fetch(self.job))
            page = await self._place(bundle)
            if page is not None:
                page.files = self._files.files
                with page:
                    await stepped(self.trace, "page reservation", self._prepare(page, bundle))
                    self._guard.check()
                    await self._run_and_conclude(page, bundle)
        except ContextBroken as broken:
            await self._settle(self._settlement.not_started, broken, self.runner.runner_id if self.runner else None)
        except NotBegun as not_begun:
            await self._settle(self._settlement.end, unbegun(not_begun.status))
        except (ModuleError, ProxyRefused) as failed:
            if failed.retryable:
                await self._settle(self._settlement.defer, str(failed))
            else:
                await self._settle(self._settlement.end, rejection_of(failed))
        except (FileError, FilesCrowded) as no_files:
            await self._settle(self._settlement.files_failed, no_files)
        except SpawnFailed as failed:
            await self._settle(self._settlement.defer, str(failed), failed.defer_seconds, cause=failed.cause)
        except RunnerLost as lost:
            await self._on_runner_lost(lost)
        except SecretUnavailable as away:
            await self._settle(self._settlement.secret_outage, away, begun=self.begun)
        except OSError as failed:
            # The supervisor has no descriptors, memory or disk left on the way to the runner. The job is not to blame.
            await self._settle(self._settlement.defer, f"the host: {failed.strerror or failed}", begun=self.begun)

    async def contain(self, step: Coroutine[Any, Any, None]) -> None:
        """Take a step. A bug in it is logged, and ends neither the worker nor its other attempts.

        Where the step did not settle the job, the lease runs out, and the job is claimed again.
        """
        await contained(step, self.log)

    async def close(self) -> None:
        """End a job that the queue says is to be ended without running."""
        await self._settle(self._settlement.end, end_without_running(self.job, self.lease))
        self._step(AttemptEvent.END)

    async def requeue_at_once(self, reason: str) -> None:
        """Requeue a job that was claimed while the worker began to drain."""
        await self._settle(self._settlement.requeue, reason)
        self._step(AttemptEvent.END)

    async def tell_begun(self) -> None:
        """Tell the queue once the handler has begun: the job expires no more, and its history tells what it used."""
        await self._began.wait()
        await self._settlement.running.begun(self)

    async def stop(self, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Cancel or time out the handler, or keep it from beginning; kill its runner if it does not stop."""
        self._guard.stop()
        self._told_to = outcome
        if self._uploads is not None and self._uploads.storing:
            self._uploads.give_up("the job was stopped before it was stored")
        if (page := self._sent) is not None:
            await stop_handler(page, self.lease.token, self.job.ref, outcome, self._services.kill_grace_seconds)

    async def on_lease_lost(self) -> None:
        """Another worker may own the job: stop the work and settle nothing."""
        self._step(AttemptEvent.DETACH)
        self.log.warning("lease lost, its work is stopped")
        await self.stop("cancelled")

    async def requeue(self, reason: str) -> bool:
        """The drain is at its deadline: stop, and let another worker have the job, uncharged. False: it ended here."""
        if self.state in (AttemptState.DETACHED, AttemptState.ENDED):
            return self.state is AttemptState.DETACHED
        if self._uploads is not None and self._uploads.storing:
            # Only artifacts are missing. Their job does not run again for them.
            self._uploads.give_up("the worker stopped before it was stored")
            await self._over.wait()
            return False
        settling = self.state is AttemptState.SETTLING
        self._step(AttemptEvent.DETACH)
        settled_as(self.trace, "requeue")
        await self.stop("cancelled")
        if self._page is not None:
            self._page.end_traffic()
        return await self._settlement.requeue_stopped(self, reason, begun=self.begun) or not settling

    async def _admit(self) -> VerifiedBundle:
        """The job's module: verified, allowed for the tenant and fit for the payload. Raises ModuleError."""
        job, registry = self.job, self._services.registry
        check_allowed(job.module_name, job.tenant_id, self._services.tenant_settings(job.tenant_id).modules)
        release = await chosen_release(registry, job, self.lease, self.claimed_at)
        self.version, self.rollout = release.version, release.rollout
        self.log = self.log.bind(module_version=self.version)
        self._bundle = bundle = await registry.bundle(release)
        registry.check_tenant(bundle, job.tenant_id, release.channel)
        await self._services.input_checks.check(bundle, job.tenant_id, bytes(job.payload))
        await self._services.secrets.warm(job.tenant_id, bundle.name, bundle.manifest.secrets)
        await self._settlement.check_cooling(job)
        self.proxy = self._services.proxies.choose(job.tenant_id, job.proxy, bundle.manifest.proxy) or None
        self.log = self.log.bind(proxy=self.proxy)
        await self._services.proxies.ready(self.proxy)
        return bundle

    async def _place(self, bundle: VerifiedBundle) -> PageReservation | None:
        """A page on a runner with exactly the job's hosts and options. None: there is none now, the job is requeued."""
        lease, of = self.lease, self._services
        try:
            sets = (of.egress_sets, of.option_sets, of.profile_pages, of.proxies, of.isolation)
            self._budget = of.budgets.of(lease.tenant_id, bundle.manifest)
            context = wanted_context(lease.context, self.job, bundle.manifest, *sets, one_page=bool(self._budget))
            self._services.browsers.flavor(context)
        except FlavorMissing as missing:
            await self._settle(self._settlement.defer, str(missing), OTHER_WORKER_SECONDS)
            return None
        except (DigestCollision, OptionRefused) as refused:
            await self._settle(self._settlement.end, rejection_of(refused))
            return None
        self._page = self._services.fleet.reserve(context, lease.profile_fence, exclusive=lease.exclusive)
        if self._page is not None:
            self._step(AttemptEvent.PLACE)
            self.log = self._page.log = self.log.bind(runner_id=self._page.runner.runner_id)
        elif context == lease.context:
            await self._settle(self._settlement.requeue, "its page was taken while it was claimed")
        else:
            await self._settle(self._settlement.reassign, context)
        return self._page

    async def _prepare(self, page: PageReservation, bundle: VerifiedBundle) -> None:
        """Have the runner ready, with the module loaded. Raises NotBegun as soon as the handler must not begin."""
        async with self._guard.waiting():
            await page.runner.up()
            if page.exclusive:
                await page.wait_until_exclusive()
        self._services.metrics.runners.page_waited(time.monotonic() - page.reserved_at)
        turn = f"{self.job.job_id}/{self.number}"
        await page.begin_route(turn, self._services.proxies, self._budget, self.lease.traffic)
        # Not interrupted: half a message would be the end of the runner.
        await page.runner.load(bundle)

    async def _run_and_conclude(self, page: PageReservation, bundle: VerifiedBundle) -> None:
        store = self._services.artifacts
        async with ArtifactUploads(page, self.lease.ref, self.number, store, self.log, self.trace) as self._uploads:
            try:
                done = await self._run(page, bundle, self._uploads)
            except RunnerLost as lost:
                await self._on_runner_lost(lost)
                return
            if self.state is not AttemptState.DETACHED:
                await self._uploads.stored(self._leave)
            await self._conclude(page, done)

    async def _leave(self) -> None:
        """Its page serves other jobs, and its artifacts take long: the permits are for other jobs, too."""
        self.left_at = time.monotonic()
        await self._settlement.running.store(self)

    async def _run(self, page: PageReservation, bundle: VerifiedBundle, uploads: ArtifactUploads) -> m.Done:
        job, lease, probe = self.job, self.lease, self._settlement.logins.probe(self.job, bundle.manifest)
        message = run_message(job, lease, self.number, bundle, self._services, probe, spans=self.trace is not None)
        self.log.debug("job starts")
        page.send(self._begin, self._settlement.logins.probed(self, page) if probe != "no" else None)
        self._step(AttemptEvent.SEND)
        lost = None
        async with TaskGroup() as tasks:
            keeping = tasks.create_task(uploads.accept())
            user = secret_user(job, self.number, bundle)
            asking = tasks.create_task(answer_secret_requests(page, user, self._services.secrets, self.stop))
            telling = tasks.create_task(serve_module_calls(page, self, self._settlement.running))
            grace_seconds = self._services.kill_grace_seconds
            watching = tasks.create_task(end_past_budget(page, lease.token, lambda: self._told_to, grace_seconds))
            try:
                await answer_in_time(page, message, bundle, grace_seconds, self.stop)
            except RunnerLost as gone:
                lost = gone
                for task in (keeping, asking, watching):
                    task.cancel()
            telling.cancel()  # it may wait for Redis
        handler_ended(self.trace, page)
        self.proxy = await page.used_proxy()
        if (why_not := page.secret_outage or lost) is not None:
            raise why_not
        return await final_done(page, bundle, job, self._services)

    async def _conclude(self, page: PageReservation, done: m.Done) -> None:
        if self.state is AttemptState.DETACHED:
            return
        try:
            reported = begun_outcome(done.outcome, begun=self.begun, may_expire=self.lease.begin_before is not None)
            outcome = outcome_of_answer(done, reported, page, self.claimed_at, begun=self.begun)
        except (NotJson, ImpossibleOutcome) as invalid:
            page.runner.kill(f"its answer to {self.job.ref} is wrong: {invalid}", charged=True, restart="protocol")
            raise RunnerLost(str(invalid), charged=True) from invalid
        if done.failure is not None and done.failure.type in LIMIT_FAILURES:
            self._services.metrics.runners.limit_breached(done.failure.type)
        await self._settle(self._settlement.attempt_ended, outcome)

    async def _on_runner_lost(self, lost: RunnerLost) -> None:
        page = self._sent
        breach: Breach | BudgetBreach | None = lost.breach if lost.alone else None
        if page is not None and lost.charged:
            page.end_traffic()
            # What goes past its budget is not tried again, even if it ends with its runner.
            breach = page.budget_breach or breach
        if not lost.charged:
            await self._settle(self._settlement.requeue, lost.reason, begun=self.begun)
        elif breach is not None and page is not None:
            if self._uploads is not None:
                # Its runner is gone, and what it handed over is not.
                await self._uploads.stored(self._leave)
            cancelled = self._told_to == "cancelled"
            outcome = outcome_of_breach(breach, page, self.claimed_at, cancelled=cancelled, begun=self.begun)
            await self._settle(self._settlement.attempt_ended, outcome)
        else:
            started = page.started_at if page else None
            ran = time.monotonic() - page.sent_at if page else 0.0
            runner_id = self.runner.runner_id if self.runner else ""
            await self._settle(self._settlement.crashed, runner_id, lost.reason, started, ran, begun=self.begun)

    async def _on_bug(self, bug: Exception) -> None:
        self.log.opt(exception=bug).error("attempt ended by a bug")
        # Its handler may still run, and the job is tried again.
        await self.stop("cancelled")
        await self._settle(self._settlement.ended_by_bug, self.claimed_at, begun=self.begun)

    def _begin(self) -> None:
        self._step(AttemptEvent.BEGIN)
        self._began.set()

    async def _settle(
        self, call: Callable[Concatenate["Attempt", P], Awaitable[bool | None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Make the attempt's queue call, unless its lease is not its own any more."""
        if self.state is not AttemptState.DETACHED:
            self._step(AttemptEvent.SETTLE)
            if self._page is not None:
                self._page.end_traffic()
            self.profile_released = bool(await stepped(self.trace, "finish", call(self, *args, **kwargs)))
            settled_as(self.trace, call.__name__)

    def _step(self, event: AttemptEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)
        if event is AttemptEvent.END and self.trace is not None:
            self.trace.end()
