"""One lease from claim to its end: admit, place, run, judge, settle."""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec
from msgspec import structs

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.result import ArtifactRecord, ResultError
from pageworker_supervisor.dispatch import result_builder
from pageworker_supervisor.dispatch.artifact_keeper import ArtifactKeeper
from pageworker_supervisor.dispatch.begin_guard import BeginGuard, NotBegun, Unbegun
from pageworker_supervisor.dispatch.claimed_job import ClaimedJob
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.dispatch.retry_policy import EndJob, error
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.dispatch.untrusted import NotJson, json_of
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError, PayloadInvalid
from pageworker_supervisor.runners.egress_sets import DigestCollision, EgressSets
from pageworker_supervisor.runners.errors import RunnerLost, SpawnFailed
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.limit_breach import Breach, LimitName
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.running_attempt import SentAttempt
from pageworker_supervisor.runners.start_failure import ContextBroken
from pageworker_supervisor.telemetry.metrics import Metrics


@dataclass(frozen=True)
class AttemptServices:
    """What every attempt needs."""

    settings: Settings
    registry: Registry
    artifacts: ArtifactStore
    settlement: Settlement
    fleet: Fleet
    egress_sets: EgressSets
    metrics: Metrics


LIMITS = frozenset({*get_args(LimitName), "result_too_large"})
"""Failures that a runner's own side tells of: limits that it keeps for the supervisor."""


class Attempt:
    """One lease at work. Its page is reserved once its module is known to fit: `runner` is None before."""

    def __init__(self, case: ClaimedJob, tools: AttemptServices) -> None:
        self.case = case
        self.runner: Runner | None = None
        self.running: SentAttempt | None = None
        self.admitting = True
        """Claimed, and not placed yet."""
        self.claimed_at = time.monotonic()
        self._tools = tools
        self._settlement = tools.settlement
        self._lost = False
        self._keeper: ArtifactKeeper | None = None
        self._told_to: Literal["timed_out", "cancelled"] | None = None
        self._guard = BeginGuard(case.lease.begin_before)
        self._began = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether the handler has begun."""
        return self._began.is_set()

    async def serve(self) -> None:
        """The whole story. Every path ends in one word to the queue, or in a lease that is lost."""
        try:
            async with self._guard.waiting():
                bundle = await self._admit()
            self.runner = await self._place(bundle)
            if self.runner is not None:
                await self._prepare(self.runner, bundle)
                self._guard.check()
                await self._conclude(self.runner, await self._run(self.runner, bundle))
        except ContextBroken as broken:
            if not self._lost:
                await self._settlement.not_started(self.case, broken, self.runner.runner_id if self.runner else None)
        except NotBegun as not_begun:
            await self._end_unbegun(not_begun.status)
        except PayloadInvalid as wrong:
            await self._reject(wrong, wrong.mistakes)
        except ModuleError as wrong:
            if wrong.retryable:
                await self._settlement.defer(self.case, str(wrong))
            else:
                await self._reject(wrong, {"mend": wrong.mend})
        except SpawnFailed as failed:
            await self._settlement.defer(self.case, str(failed))
        except RunnerLost as lost:
            await self._on_runner_lost(lost)
        except OSError as error:
            # Of ours, on the way to the runner: descriptors, memory or disk are used up. The job is not to blame.
            await self._settlement.defer(self.case, f"the host: {error.strerror or error}")
        finally:
            self.admitting = False
            if self.runner is not None and self.running is None:
                # The runner never got the job, so nobody else gives the promised page back.
                self.runner.release()

    @property
    def lost(self) -> bool:
        """Its lease is somebody else's, or was given back."""
        return self._lost

    async def tell_begun(self) -> None:
        """Once the handler has begun the queue must know: the job does not expire any more, should this worker die."""
        await self._began.wait()
        await self._settlement.begun(self.case)

    async def stop(self, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Cancel or time out the handler; kill the runner when it does not obey. One that has not begun never will."""
        self._guard.stop()
        self._told_to = outcome
        runner, running = self.runner, self.running
        if runner is None or running is None or running.done.done():
            return
        await runner.cancel(running.attempt_id, outcome)
        await asyncio.wait([running.done], timeout=self._tools.settings.pool.kill_grace_seconds)
        if not running.done.done():
            running.end(m.Done(attempt_id=running.attempt_id, outcome=outcome))
            runner.kill(f"job {self.case.job.ref} did not stop when told to", charged=False)

    async def on_lease_lost(self) -> None:
        """The lease is lost: whatever comes is nobody's result any more. Ends the work at once."""
        self._lost = True
        self.case.log.warning("lease lost, its work is stopped")
        await self.stop("cancelled")

    async def requeue(self, reason: str) -> None:
        """Drain's deadline has passed: stop, and let another worker have the job, uncharged."""
        if self._lost:
            return
        self._lost = True
        await self.stop("cancelled")
        await self._settlement.requeue(self.case, reason, begun=self.begun)

    async def _admit(self) -> VerifiedBundle:
        """The job's module, verified, allowed for the tenant and fit for the payload. Raises ModuleError."""
        job, registry = self.case.job, self._tools.registry
        release = registry.resolve(job.module_name, job.module_pin)
        self.case.version = release.version
        bundle = await registry.bundle(release)
        registry.check_tenant(bundle, job.tenant_id)
        registry.schema(bundle).check(job.payload_object())
        return bundle

    async def _reject(self, wrong: ModuleError, detail: object) -> None:
        why = error(wrong.type, str(wrong), retryable=False, detail=detail)
        await self._settlement.end(self.case, EndJob("rejected", why))

    async def _place(self, bundle: VerifiedBundle) -> Runner | None:
        """A page on a runner with exactly the module's hosts. None: there is none now, and the job went back."""
        lease = self.case.lease
        try:
            egress = self._tools.egress_sets.name(bundle.manifest.egress)
        except DigestCollision as collision:
            await self._settlement.end(
                self.case, EndJob("rejected", error("module_invalid", str(collision), retryable=False))
            )
            return None
        context = structs.replace(lease.context, egress=egress)
        runner = self._tools.fleet.reserve(context, lease.profile_fence, solo=lease.exclusive)
        self.admitting = False
        if runner is None and egress == lease.egress:
            await self._settlement.requeue(self.case, "its place was taken while it was claimed")
        elif runner is None:
            await self._settlement.reassign(self.case, egress)
        return runner

    async def _prepare(self, runner: Runner, bundle: VerifiedBundle) -> None:
        """Everything else that the handler needs. Raises NotBegun as soon as it must not begin."""
        async with self._guard.waiting():
            await runner.up()
            if self.case.lease.exclusive:
                await runner.wait_until_exclusive()
        # Not interrupted: half a message would be the end of the runner.
        await runner.load(bundle)

    async def _end_unbegun(self, status: Unbegun) -> None:
        if not self._lost:
            await self._settlement.end(self.case, result_builder.unbegun(status))

    async def _run(self, runner: Runner, bundle: VerifiedBundle) -> m.Done:
        job, lease = self.case.job, self.case.lease
        budget = job.timeout_seconds or bundle.manifest.timeout_seconds or self._tools.settings.jobs.timeout_seconds
        words = m.Run(
            attempt_id=lease.token,
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            profile_id=job.profile_id,
            module=bundle.name,
            version=bundle.version,
            payload=bytes(job.payload),
            attempt=lease.attempt,
            timeout_seconds=budget,
            trace_id=result_builder.trace_of(job),
            begin_before=lease.begin_before,
        )
        self.case.log.debug("job starts", module=bundle.name, module_version=bundle.version)
        self.running = running = SentAttempt(lease.token, job.ref, on_accept=self._began.set)
        self._keeper = keeper = ArtifactKeeper(self.case, runner, running, self._tools.artifacts)
        lost = None
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(keeper.run())
            try:
                return await self._answer(runner, running, words, bundle)
            except RunnerLost as gone:
                lost = gone
                keeping.cancel()
        raise lost

    async def _answer(self, runner: Runner, running: SentAttempt, words: m.Run, bundle: VerifiedBundle) -> m.Done:
        try:
            async with asyncio.timeout(words.timeout_seconds + self._tools.settings.pool.kill_grace_seconds):
                return await runner.run(running, words, bundle)
        except TimeoutError:
            # The runner counts the budget itself; that it says nothing means that it cannot.
            await self.stop("timed_out")
            return await running.done

    async def _conclude(self, runner: Runner, done: m.Done) -> None:
        running = self.running
        if self._lost or running is None:
            return
        if done.outcome == "cancelled" and not self.begun:
            await self._end_unbegun("cancelled")
            return
        if done.outcome == "expired":
            await self._conclude_expired(runner)
            return
        try:
            data = json_of(done.data)
            detail = json_of(done.failure.detail) if done.failure else None
        except NotJson as wrong:
            runner.kill(f"its answer to {self.case.job.ref} is no data: {wrong}", charged=True)
            raise RunnerLost(str(wrong), charged=True) from wrong
        outcome = Outcome(
            outcome=done.outcome,
            runner_id=runner.runner_id,
            started_at=running.started_at,
            admitted_seconds=(running.accepted_at or running.sent_at) - self.claimed_at,
            ran_seconds=done.ran_seconds,
            data=data,
            detail=detail,
            failure=done.failure,
            obstacle=done.obstacle,
            artifacts=self._stored(),
            begun=self.begun,
        )
        if done.failure is not None and done.failure.type in LIMITS:
            self._tools.metrics.limit_breached(done.failure.type)
        await self._settlement.judge(self.case, outcome)

    async def _conclude_expired(self, runner: Runner) -> None:
        """The runner says that it was too late to begin."""
        if self.begun or self.case.lease.begin_before is None:
            runner.kill(f"it says that {self.case.job.ref} is expired, which cannot be", charged=True)
            raise RunnerLost("it says what cannot be", charged=True)
        await self._end_unbegun("expired")

    def _stored(self) -> tuple[ArtifactRecord, ...]:
        return tuple(self._keeper.stored) if self._keeper is not None else ()

    def _outcome_of(self, running: SentAttempt, breach: Breach) -> Outcome:
        """The end of an attempt whose runner was killed because of it. A cancel that was told before holds."""
        return Outcome(
            outcome="cancelled" if self._told_to == "cancelled" else "failed",
            runner_id=self.runner.runner_id if self.runner else "",
            started_at=running.started_at,
            admitted_seconds=(running.accepted_at or running.sent_at) - self.claimed_at,
            ran_seconds=time.monotonic() - (running.accepted_at or running.sent_at),
            failure=m.Failure(type=breach.limit, message=breach.message, retryable=False),
            detail=msgspec.Raw(msgspec.json.encode(breach.detail)),
            artifacts=self._stored(),
            begun=self.begun,
        )

    async def _on_runner_lost(self, lost: RunnerLost) -> None:
        if self._lost:
            return
        if not lost.charged:
            await self._settlement.requeue(self.case, lost.reason, begun=self.begun)
            return
        running = self.running
        if lost.breach is not None and lost.alone and running is not None:
            await self._settlement.judge(self.case, self._outcome_of(running, lost.breach))
            return
        started = running.started_at if running else None
        ran = time.monotonic() - running.sent_at if running else 0.0
        runner_id = self.runner.runner_id if self.runner else ""
        await self._settlement.crashed(self.case, runner_id, lost.reason, started, ran, begun=self.begun)


def _limit_error(breach: Breach) -> ResultError:
    return error(breach.limit, breach.message, retryable=False, detail=breach.detail)
