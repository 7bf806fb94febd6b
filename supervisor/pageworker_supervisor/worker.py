"""The worker as one thing: starts, serves, drains, resumes, stops. What the operator's endpoints speak to."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from typing import Literal

from pageworker_sandbox.state_machine import IllegalTransition, label, next_state
from pageworker_supervisor.admin.allowed_hosts import answered_hosts
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.server import Endpoints, HttpBounds
from pageworker_supervisor.admin.status import (
    Cancelled,
    DrainLine,
    RedisReport,
    ReportedState,
    RunnerReport,
    RunningJob,
    StatusReport,
)
from pageworker_supervisor.components import Components, HostEnvironment
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.host.descriptor_check import descriptor_trouble
from pageworker_supervisor.host.descriptor_limit import current_limit, http_connections
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.registry import Registry, load_trust
from pageworker_supervisor.registry.fleet_serial import FleetSerial
from pageworker_supervisor.runners.placement import NOBODY
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.task_supervision import run_forever
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.worker_identity import claim_data_dir
from pageworker_supervisor.worker_state import TRANSITIONS, WorkerEvent, WorkerState

VERSION = version("pageworker")
COURIER_GRACE_SECONDS = 3.0
NO_TRUSTED_KEY = (
    "no trusted key, so no module could run: `workerctl key new release`, put release.pub into modules.trusted_keys and"
    " start again"
)
HAND_BACK_SECONDS = 5.0
"""After the drain's deadline: for runners to end and for Redis to be told."""
REST_SECONDS = 30.0
LISTED_JOBS = 100

BuildComponents = Callable[[HostEnvironment, str, RedisClient, QueueClient, Registry], Components]


class Worker:
    """One worker. `run` is its whole life; set `stop` to end it in good order."""

    def __init__(self, site: HostEnvironment, furnish: BuildComponents = Components) -> None:
        self.stop = asyncio.Event()
        self._site = site
        self._furnish = furnish
        self._phase = WorkerState.STARTING
        self._reason = "starting"
        self._since = time.monotonic()
        self._redis_client: RedisClient | None = None
        self._components: Components | None = None
        self._name = ""
        self._address = ""
        self._before: str | None = None

    @property
    def came_up(self) -> bool:
        """Whether it ever took jobs."""
        return self._components is not None

    async def run(self) -> None:
        """Serve until told to stop, then drain, then end. An error of any room ends the worker and is raised."""
        settings = self._site.settings
        bounds = HttpBounds(http_connections(settings, current_limit()), answered_hosts(settings.http))
        endpoints = Endpoints.open(settings.http.bind, self._site.data_dir, self, self._site.metrics, bounds)
        host, port = endpoints.address
        self._site = replace(self._site, http_ports=(port,))
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # The control socket is bound, so nobody else lives in this data folder.
        self._name, self._before = claim_data_dir(self._site.data_dir, settings.worker.id)
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(endpoints.run(), name="endpoints")
            serving = tasks.create_task(self._serve(), name="components")
            await self.stop.wait()
            log.info("stopping")
            if self._components is not None and self._phase is not WorkerState.DRAINED:
                await self._last_jobs(self._components)
            self._turn(WorkerEvent.STOP, "stopping")
            if self._components is not None:
                await self._last_callbacks(self._components)
            serving.cancel()
            await asyncio.wait([serving])
            answering.cancel()

    async def _last_jobs(self, components: Components) -> None:
        """Drain, whatever Redis does: what can not be handed back is left to its lease, and runs again elsewhere."""
        seconds = self._site.settings.worker.drain_seconds
        try:
            async with asyncio.timeout(seconds + HAND_BACK_SECONDS):
                async for line in self.drain(seconds):
                    log.info("drain", drain=line.event, job=line.ref and str(line.ref), left=line.left)
        except TimeoutError:
            left = sorted(str(attempt.case.lease.ref) for attempt in components.dispatcher.attempts.values())
            reason = components.redis_client.availability.trouble or "they were not handed back in time"
            log.error("jobs are left to their leases", jobs=len(left), which=left[:LISTED_JOBS], reason=reason)

    async def _last_callbacks(self, components: Components) -> None:
        """Those under way may end; else they would come again from the outbox, a minute later."""
        seconds = self._site.settings.callbacks.timeout_seconds + COURIER_GRACE_SECONDS
        try:
            # Without Redis nothing could be said of them.
            async with asyncio.timeout(seconds if components.redis_client.availability.up else COURIER_GRACE_SECONDS):
                await components.callback_sender.stop()
        except TimeoutError:
            log.warning("callbacks left to the outbox")

    async def _serve(self) -> None:
        settings = self._site.settings
        async with AsyncExitStack() as stack:
            trust = load_trust(settings.modules.trusted_keys)
            redis_user = UidPool(self._site.uids).redis
            self._redis_client = redis_client = await stack.enter_async_context(
                open_redis_client(settings.redis, self._site.data_dir, self._site.metrics, redis_user)
            )
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(redis_client.availability.run(), name="redis")
                queue = await self._prepare(redis_client)
                registry = await Registry.open(
                    settings.modules.registry or self._site.data_dir / "registry",
                    trust,
                    self._site.data_dir / "modules",
                    settings.modules.channel,
                    refresh_seconds=settings.modules.refresh_seconds,
                    fleet=FleetSerial(redis_client, settings, self._site.data_dir, self._name, self._site.metrics),
                )
                watching.cancel()
            self._components = components = self._furnish(self._site, self._name, redis_client, queue, registry)
            components.dispatcher.closed = not settings.modules.trusted_keys
            self._turn(WorkerEvent.CAME_UP, "")
            here = {"redis": redis_client.safe_url, "data_dir": str(self._site.data_dir), "http": self._address}
            if components.dispatcher.closed:
                log.warning("not ready", reason=NO_TRUSTED_KEY, **here)
            else:
                log.info("ready", **here)
            await run_forever(components.tasks())

    async def _prepare(self, redis_client: RedisClient) -> QueueClient:
        """The queue, loaded. Waits with backoff while Redis is away."""
        settings, pace = self._site.settings, self._site.pace
        replicated = await redis_client.availability.retry_until_available(redis_client.has_replicas)
        queue = QueueClient(
            redis_client,
            prefix=settings.redis.prefix,
            shards=settings.redis.shards,
            options=QueueOptions(
                result_ttl_seconds=settings.results.ttl_seconds,
                stream_length=settings.results.stream_length,
                dead_length=settings.results.dead_length,
                dead_bytes=settings.results.dead_bytes,
                dead_text_bytes=settings.results.dead_text_bytes,
                cancel_memory_seconds=settings.jobs.cancel_memory_seconds,
                replicas=int(replicated),
                lease_ms=pace.lease_ms,
                outbox_lease_ms=pace.promise_ms,
            ),
        )
        await redis_client.availability.retry_until_available(queue.load)
        await redis_client.availability.retry_until_available(lambda: queue.consumer.register_worker(self._name))
        if (before := self._before) is not None:
            taken = await redis_client.availability.retry_until_available(lambda: queue.consumer.disown_worker(before))
            await redis_client.availability.retry_until_available(lambda: queue.consumer.forget_worker(before))
            log.info("succeeds", predecessor=before, jobs=taken)
        return queue

    # ---- what the endpoints ask ----

    async def look(self) -> None:
        """See at once whether Redis serves everything."""
        if self._phase is WorkerState.READY and self._redis_client is not None:
            await self._redis_client.availability.probe_now()

    def ready(self) -> tuple[bool, str]:
        """Whether jobs are taken, and why not."""
        trouble = self._redis_trouble()
        if self._phase is WorkerState.STARTING and trouble:
            return False, trouble
        if self._phase is not WorkerState.READY:
            return False, self._reason or self._phase.name.lower()
        trouble = trouble or descriptor_trouble()
        if not trouble and not self._site.settings.modules.trusted_keys:
            return False, NO_TRUSTED_KEY
        if not trouble and self._components is not None:
            trouble = self._components.fleet.trouble() or ""
        return not trouble, trouble

    def _redis_trouble(self) -> str:
        """Why Redis, or the Redis that producers push to, does not serve everything; "" while it does."""
        if self._redis_client is None:
            return ""
        if trouble := self._redis_client.availability.trouble:
            return trouble
        ingress = (
            self._redis_client.ingress.availability.trouble
            if self._redis_client.ingress is not self._redis_client
            else ""
        )
        return f"redis.ingress_url: {ingress}" if ingress else ""

    def status(self) -> StatusReport:
        """Everything that is worth showing."""
        ready, reason = self.ready()
        state = STATES[self._phase]
        if state == "ready" and not ready:
            state = "cut_off" if self._redis_client is None or not self._redis_client.availability.up else "failing"
        components, now = self._components, time.monotonic()
        return StatusReport(
            state=state,
            reason=reason,
            worker_id=self._site.settings.worker.id,
            version=VERSION,
            uptime_seconds=round(now - self._since, 3),
            redis=self._redis_report(),
            runners=tuple(_runner(runner, now) for runner in components.fleet.runners.values()) if components else (),
            jobs=tuple(_job(attempt, now) for attempt in components.dispatcher.attempts.values()) if components else (),
            counters=self._site.metrics.totals(),
            gateway_proof=components.outlet.proof if components else {},
        )

    def _redis_report(self) -> RedisReport:
        redis_client = self._redis_client
        return RedisReport(
            connected=redis_client is not None and redis_client.availability.up,
            url=redis_client.safe_url if redis_client else "",
        )

    async def drain(self, deadline_seconds: float | None) -> AsyncIterator[DrainLine]:
        """Claim no more, wait for what runs, hand back what is left at the deadline."""
        components = self._up()
        self._turn(WorkerEvent.DRAIN, "draining")
        seconds = self._site.settings.worker.drain_seconds if deadline_seconds is None else deadline_seconds
        components.intake.pause()
        components.dispatcher.draining = True
        waited = dict(components.dispatcher.attempts)
        now = time.monotonic()
        for attempt in waited.values():
            yield _line("waiting", attempt, now)
        try:
            async with asyncio.timeout(seconds):
                while components.dispatcher.busy:
                    components.dispatcher.ended.clear()
                    await components.dispatcher.ended.wait()
                    self._insist_on_draining()
                    for token in [token for token in waited if token not in components.dispatcher.attempts]:
                        yield _line("ended", waited.pop(token), time.monotonic())
        except TimeoutError:
            pass
        self._insist_on_draining()
        left = await components.dispatcher.requeue_all("the worker is drained")
        for attempt in waited.values():
            yield _line("handed_back", attempt, time.monotonic())
        components.fleet.retire_all("the worker is drained")
        await components.fleet.empty()
        self._turn(WorkerEvent.EMPTIED, "drained")
        yield DrainLine(event="deadline" if left else "done", left=left)

    def _insist_on_draining(self) -> None:
        if self._phase not in (WorkerState.DRAINING, WorkerState.DRAINED, WorkerState.STOPPING):
            raise WorkerRefused("the worker takes jobs again: the drain is given up")

    async def undrain(self) -> None:
        """Take jobs again."""
        components = self._up()
        self._turn(WorkerEvent.UNDRAIN, "")
        components.dispatcher.draining = False
        components.dispatcher.ended.set()
        components.intake.resume()
        components.fleet.resume()

    async def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job, whatever state it is in and on whatever worker."""
        try:
            word = await self._up().queue.inspection.cancel(ref)
        except RedisUnavailable as away:
            raise WorkerRefused(f"Redis does not answer: {away}") from away
        known = word not in ("awaited", "unknown")
        return Cancelled(ref.job_id, ref.tenant_id, "cancelling" if word == "awaited" else word, known)

    def _up(self) -> Components:
        if self._components is None:
            raise WorkerRefused(f"the worker is not up yet: {self._reason}")
        return self._components

    def _turn(self, event: WorkerEvent, reason: str) -> None:
        try:
            self._phase = next_state(TRANSITIONS, self._phase, event)
        except IllegalTransition as illegal:
            raise WorkerRefused(f"cannot {label(event)} while {label(self._phase)}") from illegal
        self._reason = reason


def longest_stop_seconds(settings: Settings) -> float:
    """From SIGTERM to the end, at most: jobs, callbacks, then the daemon's own Redis and what is left."""
    return (
        settings.worker.drain_seconds
        + HAND_BACK_SECONDS
        + settings.callbacks.timeout_seconds
        + COURIER_GRACE_SECONDS
        + REST_SECONDS
    )


STATES: dict[WorkerState, ReportedState] = {
    WorkerState.STARTING: "starting",
    WorkerState.READY: "ready",
    WorkerState.DRAINING: "draining",
    WorkerState.DRAINED: "draining",
    WorkerState.STOPPING: "stopped",
}


def _runner(runner: Runner, now: float) -> RunnerReport:
    return RunnerReport(
        runner_id=runner.runner_id,
        tenant_id=None if runner.context == NOBODY else runner.context.tenant_id,
        profile_id=runner.context.profile_id,
        state=runner.life.name.lower(),
        pages={"taken": runner.taken, "running": len(runner.running)},
        jobs_done=runner.jobs_done,
        uptime_seconds=round(now - runner.since, 3),
        pid=runner.cell.pid if runner.cell else None,
        memory_bytes=runner.memory_bytes,
        evidence=runner.evidence,
        proof=runner.proof,
    )


def _job(attempt: Attempt, now: float) -> RunningJob:
    job = attempt.case.job
    return RunningJob(
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        module=job.endpoint_module,
        attempt=attempt.case.lease.attempt,
        since_seconds=round(now - attempt.claimed_at, 3),
        runner_id=attempt.runner.runner_id if attempt.runner else None,
    )


def _line(event: Literal["waiting", "ended", "handed_back"], attempt: Attempt, now: float) -> DrainLine:
    job = attempt.case.job
    return DrainLine(
        event=event,
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        module=job.endpoint_module,
        since_seconds=round(now - attempt.claimed_at, 3),
    )
