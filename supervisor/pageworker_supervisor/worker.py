"""One worker: it starts, serves, drains and stops. The operator's endpoints control it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version

from pageworker_sandbox.signing import KeyUnusable
from pageworker_sandbox.state_machine import IllegalTransition, label, next_state
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor import worker_report as reports
from pageworker_supervisor.admin.allowed_hosts import answered_hosts
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.server import Endpoints, HttpBounds
from pageworker_supervisor.admin.status import AdmissionReport, Cancelled, ConfigReport, DrainLine, StatusReport
from pageworker_supervisor.audit.decision_recorder import DecisionRecorder
from pageworker_supervisor.components import Components, HostEnvironment
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import ReportedState, WorkerReport
from pageworker_supervisor.dispatch.dispatcher import DrainCancelled
from pageworker_supervisor.dispatch.recent_service import RecentService
from pageworker_supervisor.drain_causes import HELD_BY_FLEET, DrainCauseEvent, DrainCauses
from pageworker_supervisor.drain_causes import TRANSITIONS as DRAIN_CAUSES
from pageworker_supervisor.fleet_member import FleetMember, stored_drain_holds
from pageworker_supervisor.host.descriptor_check import descriptor_trouble
from pageworker_supervisor.host.descriptor_limit import current_limit, http_connections
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import RedisClientError, RedisUnavailable
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.trust_follower import TrustFollower
from pageworker_supervisor.runners.profile_closing import close_profiles
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.self_checks.worker_checks import WorkerChecks
from pageworker_supervisor.task_supervision import run_forever
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.worker_config import WorkerConfig, worker_queue
from pageworker_supervisor.worker_identity import claim_data_dir
from pageworker_supervisor.worker_report import CALLBACK_GRACE_SECONDS, REQUEUE_SECONDS, longest_stop_seconds
from pageworker_supervisor.worker_rollouts import WorkerRollouts
from pageworker_supervisor.worker_state import TRANSITIONS, WorkerEvent, WorkerState

VERSION = version("pageworker")
NO_TRUSTED_KEY = (
    "no trusted key, so no module could run: `workerctl key new release`, put release.pub into modules.trusted_keys and"
    " start again"
)
TAKES_JOBS_AGAIN = "the worker takes jobs again: the drain is cancelled"
LISTED_JOBS = 100

BuildComponents = Callable[[HostEnvironment, str, RedisClient, QueueClient, Registry], Components]


class Worker:
    """One worker. `run` serves until `stop` is set; then it drains and ends."""

    def __init__(self, environment: HostEnvironment, build: BuildComponents = Components) -> None:
        self.stop = asyncio.Event()
        self.drained_by = DrainCauses.NOTHING
        self._environment = environment
        self._build = build
        self._state = WorkerState.STARTING
        self._reason = "starting"
        self._since = time.monotonic()
        self._redis_client: RedisClient | None = None
        self._components: Components | None = None
        self._name = ""
        self._address = ""
        self._before: str | None = None
        self._config: WorkerConfig | None = None
        self._trust: TrustFollower | None = None
        self._member: FleetMember | None = None
        self._draining_until: float | None = None
        self._started_at = time.time()
        self._service = RecentService(self._since)

    @property
    def _settings(self) -> Settings:
        """Those that count now."""
        return self._environment.live.value

    @property
    def longest_stop_seconds(self) -> float:
        """From the moment when `stop` is set to the end of `run`, at most."""
        return longest_stop_seconds(self._settings)

    @property
    def came_up(self) -> bool:
        """Whether it ever took jobs."""
        return self._components is not None

    async def run(self) -> None:
        """Serve until told to stop, drain, and end. An error of any component ends the worker and is raised."""
        settings = self._environment.settings
        bounds = HttpBounds(
            http_connections(settings.pool, settings.callbacks, current_limit()), answered_hosts(settings.http)
        )
        endpoints = Endpoints.open(
            settings.http.bind,
            self._environment.data_dir,
            self,
            self._environment.metrics,
            bounds,
            self._environment.recent_lines,
            self._environment.decisions,
        )
        host, port = endpoints.address
        self._environment = replace(self._environment, http_ports=(port,))
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # The control socket is bound, so no other worker uses this data folder.
        self._name, self._before = claim_data_dir(self._environment.data_dir, settings.worker.id)
        async with TaskGroup() as tasks:
            answering = tasks.create_task(endpoints.run(), name="endpoints")
            serving = tasks.create_task(self._serve(), name="components")
            await self.stop.wait()
            log.info("stopping")
            if self._components is not None and self._state is not WorkerState.DRAINED:
                await self._last_jobs(self._components)
            self._step(WorkerEvent.STOP, "stopping")
            if self._components is not None:
                await self._last_callbacks(self._components)
                await self._components.tracing.stop()
                await close_profiles(self._components.fleet, "the worker stops")
            await asyncio.gather(*(part.leave() for part in (self._config, self._member) if part is not None))
            serving.cancel()
            await asyncio.wait([serving])
            answering.cancel()

    async def _last_jobs(self, components: Components) -> None:
        """Drain, even if Redis does not answer: the lease of a job that cannot be requeued runs out, and it runs
        elsewhere."""
        seconds = self._settings.worker.drain_seconds
        try:
            async with asyncio.timeout(seconds + REQUEUE_SECONDS):
                async for line in self._drain(seconds, None):
                    log.info("drain", drain=line.event, job=line.ref and str(line.ref), left=line.left)
        except TimeoutError:
            left = sorted(str(lease.ref) for lease in components.dispatcher.unsettled)
            if not left:
                return  # only browsers still close
            reason = components.redis_client.availability.trouble or "they were not requeued in time"
            log.error("jobs are left to their leases", jobs=len(left), which=left[:LISTED_JOBS], reason=reason)

    async def _last_callbacks(self, components: Components) -> None:
        """Let callbacks that are under way end. Otherwise the outbox would send them again, a minute later."""
        seconds = self._settings.callbacks.timeout_seconds + CALLBACK_GRACE_SECONDS
        try:
            # Without Redis their ends could not be stored.
            async with asyncio.timeout(seconds if components.redis_client.availability.up else CALLBACK_GRACE_SECONDS):
                await components.callback_sender.stop()
        except TimeoutError:
            log.warning("callbacks left to the outbox")

    async def proves_progress(self, seconds: float) -> bool:
        """Whether the claim loop turns within `seconds`, or need not: the worker starts, stops, or lacks Redis."""
        return self._components is None or self.stop.is_set() or await self._components.dispatcher.makes_rounds(seconds)

    async def reload(self, local: LocalLayers) -> tuple[str, ...]:
        """See WorkerConfig.reload. The trust file is read again, too. Raises WorkerRefused before the worker is up, or
        if the trust file is not valid; then nothing has changed."""
        components = self._up()
        trust = None
        try:
            trust = await self._trust.read() if self._trust is not None else None
        except KeyUnusable as invalid:
            raise WorkerRefused(str(invalid)) from invalid
        waiting = await self._config.reload(local) if self._config is not None else ()
        if self._trust is not None and trust is not None:
            self._trust.use(trust, components.registry)
        return waiting

    async def _serve(self) -> None:
        environment, settings = self._environment, self._environment.settings
        async with AsyncExitStack() as stack:
            self._trust = trust = TrustFollower(settings.modules)
            redis_user, namespace = UidPool(environment.uids).redis, environment.host.namespace_descriptor
            self._redis_client = redis_client = await stack.enter_async_context(
                open_redis_client(settings.redis, environment.data_dir, environment.metrics, redis_user, namespace)
            )
            folder, metrics, decisions = environment.data_dir, environment.metrics, environment.decisions
            recording = worker_queue(environment, redis_client, replicas=0)
            recorder = DecisionRecorder(decisions, recording.audit, settings, folder, metrics.health.audit_record_lost)
            await stack.enter_async_context(recorder.running())
            checks = WorkerChecks(settings, folder, redis_client, metrics, decisions)
            async with TaskGroup() as tasks:
                watching = tasks.create_task(redis_client.availability.run(), name="redis")
                await checks.start()
                queue = await self._prepare(redis_client)
                recorder.use(queue.audit)
                self._config = config = WorkerConfig(environment, self._name, redis_client, queue)
                await config.start()
                self._member = member = FleetMember(
                    queue.workers, redis_client.availability, self._fleet_report, self, decisions
                )
                await member.start()
                rollouts = WorkerRollouts(environment, redis_client, queue)
                await rollouts.start()
                registry = await rollouts.open_registry(self._name, trust.store)
                watching.cancel()
            if self.stop.is_set():
                # `run` ends this task. Until then the client stays open for the worker's last commands.
                await asyncio.Event().wait()
            self._components = components = self._build(environment, self._name, redis_client, queue, registry)
            self._step(WorkerEvent.CAME_UP, "")
            components.dispatcher.on_report_notice(member.report_now)
            await member.begin()
            here = {"redis": redis_client.safe_url, "data_dir": str(folder), "http": self._address}
            if components.dispatcher.closed or self._state is not WorkerState.READY:
                log.warning("not ready", reason=self.ready()[1], **here)
            else:
                log.info("ready", **here)
            also = {"self_checks": checks.watch(environment.timeouts.self_checks_seconds), "fleet_report": member.run()}
            followers = {**config.tasks(components), **rollouts.tasks(components), "trust": trust.run(registry)}
            await run_forever({**components.tasks(), **followers, **also})

    async def _prepare(self, redis_client: RedisClient) -> QueueClient:
        """The queue, loaded. Waits with backoff while Redis is away."""
        replicated = await redis_client.availability.retry_until_available(redis_client.has_replicas)
        queue = worker_queue(self._environment, redis_client, replicas=int(replicated))
        await redis_client.availability.retry_until_available(queue.load)
        await redis_client.availability.retry_until_available(lambda: queue.consumer.register_worker(self._name))
        if (before := self._before) is not None:
            taken = await redis_client.availability.retry_until_available(lambda: queue.consumer.disown_worker(before))
            await redis_client.availability.retry_until_available(lambda: queue.consumer.forget_worker(before))
            log.info("succeeds", predecessor=before, jobs=taken)
        return queue

    # ---- called by the endpoints ----

    async def refresh_readiness(self) -> None:
        """Check now whether Redis serves everything."""
        if self._state is WorkerState.READY and self._redis_client is not None:
            await self._redis_client.availability.probe_now()

    def ready(self) -> tuple[bool, str]:
        """Whether the worker takes jobs, and why none, or not all."""
        trouble = reports.redis_trouble(self._redis_client)
        if self._state is WorkerState.STARTING and trouble:
            return False, trouble
        if self._state is not WorkerState.READY:
            return False, self._reason or self._state.name.lower()
        if not trouble and self._redis_client is not None:
            trouble = self._redis_client.availability.lost_condition
        trouble = trouble or descriptor_trouble() or (self._config.trouble if self._config is not None else "")
        if not trouble and not self._environment.settings.modules.names_keys:
            return False, NO_TRUSTED_KEY
        if not trouble and self._components is not None:
            trouble = self._components.fleet.trouble() or ""
        if trouble or self._components is None:
            return not trouble, trouble
        return self._components.load.takes_jobs, self._components.load.reason

    def status(self) -> StatusReport:
        """The state of the worker, its runners and its jobs."""
        state, reason = self._reported_state()
        components, now = self._components, time.monotonic()
        return StatusReport(
            state=state,
            reason=reason,
            worker_id=self._environment.settings.worker.id,
            version=VERSION,
            uptime_seconds=round(now - self._since, 3),
            redis=reports.redis_report(self._redis_client),
            config=self._config.report() if self._config is not None else ConfigReport(),
            trust_trouble=self._trust.trouble if self._trust is not None else "",
            blocker_rules=reports.rules_report(components),
            runners=reports.runner_reports(components, now),
            jobs=reports.running_jobs(components.dispatcher.attempts.values() if components else (), now),
            counters=self._environment.metrics.totals(),
            sandbox_rights=self._environment.host.rights_by_name(),
            gateway_proof=components.gateway.proof if components else {},
            rights=reports.rights_report(self._environment.uids),
            upstreams_down=components.upstreams.down() if components else (),
            admission=reports.admission_report(components.load) if components else AdmissionReport(),
        )

    def _reported_state(self) -> tuple[ReportedState, str]:
        ready, reason = self.ready()
        state = reports.REPORTED[self._state]
        if state == "ready" and not ready:
            state = "cut_off" if reports.redis_trouble(self._redis_client) else "failing"
        return state, reason

    def _fleet_report(self) -> WorkerReport:
        """What the fleet is told. Called every second: it also takes a sample of the pages that are in use."""
        state, reason = self._reported_state()
        up = self._components
        now = reports.WorkerNow(
            name=self._name,
            host=socket.gethostname(),
            version=VERSION,
            state=state,
            reason=reason,
            started_at=self._started_at,
            draining_until=self._draining_until,
            config_version=self._config.report().version if self._config is not None else 0,
            modules_refused=up.registry.refused_modules if up is not None else (),
        )
        runners = tuple(up.fleet.runners.values()) if up is not None else ()
        jobs, served = (len(up.dispatcher.attempts), up.dispatcher.served) if up is not None else (0, 0)
        self._service.sample(time.monotonic(), sum(runner.taken for runner in runners), served)
        return reports.worker_report(now, self._settings, runners, jobs, self._service)

    async def drain(self, deadline_seconds: float | None, *, cancel: bool = False) -> AsyncIterator[DrainLine]:
        """Claim no more jobs, wait for those that run, requeue or cancel what is left at the deadline."""
        seconds = self._settings.worker.drain_seconds if deadline_seconds is None else deadline_seconds
        async for line in self._drain(seconds, DrainCauseEvent.DRAIN, cancel=cancel):
            yield line

    async def follow_drain(self, seconds: float, *, cancel: bool) -> None:
        """The same for a stored drain."""
        async for line in self._drain(seconds, DrainCauseEvent.STORED_DRAIN, cancel=cancel):
            log.info("drain", drain=line.event, job=line.ref and str(line.ref), left=line.left)

    async def _drain(
        self, seconds: float, cause: DrainCauseEvent | None, *, cancel: bool = False
    ) -> AsyncIterator[DrainLine]:
        components = self._up()
        self._step(WorkerEvent.DRAIN, "draining")
        if cause is not None:
            self.drained_by = next_state(DRAIN_CAUSES, self.drained_by, cause)
        self._draining_until = time.time() + seconds
        components.intake.pause()
        self._environment.metrics.health.drain_began(self._draining_until)
        left = 0
        try:
            async for step in components.dispatcher.drain(seconds, self._cancel_at_deadline if cancel else None):
                if step.event != "over" and step.attempt is not None:
                    yield reports.drain_line(step.event, step.attempt, time.monotonic())
                left = step.left
        except DrainCancelled as cancelled:
            raise WorkerRefused(TAKES_JOBS_AGAIN) from cancelled
        if not components.dispatcher.draining:
            raise WorkerRefused(TAKES_JOBS_AGAIN)  # since its last jobs were stopped
        components.fleet.retire_all("the worker is drained")
        await components.fleet.empty()
        self._step(WorkerEvent.EMPTIED, "drained")
        self._environment.metrics.health.drain_done()
        yield DrainLine(event="deadline" if left else "done", left=left)

    async def _cancel_at_deadline(self, ref: JobRef) -> None:
        with contextlib.suppress(RedisClientError):  # it is requeued then
            await self._up().queue.inspection.cancel(ref)

    async def undrain(self) -> None:
        """Take jobs again. Raises WorkerRefused while a stored drain is for this worker, or if it was told to stop."""
        self._up()
        if self.stop.is_set():
            raise WorkerRefused("the worker stops, so it takes no more jobs: start it again")
        if self.drained_by in HELD_BY_FLEET:
            raise WorkerRefused(stored_drain_holds(self._member.drain if self._member is not None else None))
        self.drained_by = next_state(DRAIN_CAUSES, self.drained_by, DrainCauseEvent.UNDRAIN)
        self._take_jobs()

    async def end_stored_drain(self) -> None:
        """No stored drain is for this worker any more."""
        if self.drained_by not in HELD_BY_FLEET:
            return  # the worker stops, so the drain was not begun
        self.drained_by = next_state(DRAIN_CAUSES, self.drained_by, DrainCauseEvent.LIFTED)
        if self.drained_by is DrainCauses.NOTHING and not self.stop.is_set():
            self._take_jobs()

    def _take_jobs(self) -> None:
        components = self._up()
        self._step(WorkerEvent.UNDRAIN, "")
        self._draining_until = None
        self._environment.metrics.health.drain_left()
        components.dispatcher.undrain()
        components.intake.resume()
        components.fleet.resume()

    async def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job in any state, on any worker."""
        try:
            answer = await self._up().queue.inspection.cancel(ref)
        except RedisUnavailable as away:
            raise WorkerRefused(f"Redis does not answer: {away}") from away
        known = answer not in ("awaited", "unknown")
        return Cancelled(ref.job_id, ref.tenant_id, "cancelling" if answer == "awaited" else answer, known)

    def _up(self) -> Components:
        if self._components is None:
            raise WorkerRefused(f"the worker is not up yet: {self._reason}")
        return self._components

    def _step(self, event: WorkerEvent, reason: str) -> None:
        try:
            self._state = next_state(TRANSITIONS, self._state, event)
        except IllegalTransition as illegal:
            raise WorkerRefused(f"cannot {label(event)} while {label(self._state)}") from illegal
        self._reason = reason
        if self._member is not None:
            self._member.report_now()
