"""Puts texts into the queue, with the browser context that each needs: the step that both sources share."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable

from msgspec import structs

from pageworker_sandbox.page_rules import OptionRefused, combine, options_digest
from pageworker_sandbox.signing import Manifest
from pageworker_supervisor.config.egress_budget import EgressBudgets
from pageworker_supervisor.config.module_isolation import IsolationRefused, ModuleIsolation
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import egress_digest
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_fields import fields_of_result
from pageworker_supervisor.intake.admission import Admission, RejectedText
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.queue.producer import Enqueued, JobProducer, NewJob
from pageworker_supervisor.redis_client import Availability
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.job_trace import Tracer
from pageworker_supervisor.tracing.trace_context import trace_id_of

AddContext = Callable[[NewJob], Awaitable[NewJob]]
"""Returns the job with the digests that name its browser context."""

PARSED_PER_TURN_BYTES = 256 * 1024
"""After this many bytes, which take some milliseconds, the event loop serves other tasks."""
FETCH_SECONDS = 2.0
"""How long the first job of a release waits for its bundle. The jobs behind it wait, too."""
BACKOFF_SECONDS = 10.0
"""How long jobs are queued without digests after a failed or slow fetch."""


class Enqueuer:
    """Checks texts and stores them. `admit` returns only when the queue has all of them."""

    def __init__(
        self,
        producer: JobProducer,
        availability: Availability,
        admission: Admission,
        metrics: Metrics,
        with_context: AddContext,
        tracer: Tracer | None = None,
    ) -> None:
        self._producer = producer
        self._availability = availability
        self._admission = admission
        self._metrics = metrics
        self._with_context = with_context
        self._tracer = tracer

    def use(self, admission: Admission) -> None:
        """Decide with this from the next text on."""
        self._admission = admission

    async def admit(
        self, arrivals: Iterable[Arrival], rejected: Iterable[RejectedText] = (), *, repeated: bool = False
    ) -> None:
        """Queue the valid jobs in their order; dead-letter the other texts and `rejected`, with results for their
        senders.

        `repeated`: these texts may have been admitted before. Raises RedisRefused.
        """
        arrived_at = time.monotonic()
        reading = "" if repeated else secrets.token_hex(4)
        new_jobs, rejections, parsed_bytes = [], list(rejected), 0
        for arrival in arrivals:
            for decision in self._decide(arrival):
                if isinstance(decision, NewJob):
                    new_job = await self._with_context(decision)
                    new_jobs.append(structs.replace(new_job, waited_ms=arrival.waited_ms))
                else:
                    rejections.append(decision)
            parsed_bytes += len(arrival.text)
            if parsed_bytes > PARSED_PER_TURN_BYTES:
                parsed_bytes = 0
                await asyncio.sleep(0)
        if new_jobs:
            replies = await self._availability.retry_until_available(
                lambda: self._producer.enqueue(_aged(new_jobs, time.monotonic() - arrived_at), reading)
            )
            if self._tracer is not None:
                _trace(self._tracer, new_jobs, arrived_at, replies)
            refused = map(self._admission.refused, new_jobs, replies)
            rejections += [rejection for rejection in refused if rejection is not None]
        for rejection in rejections:
            await self._reject(rejection, reading)

    def _decide(self, arrival: Arrival) -> list[NewJob | RejectedText]:
        try:
            return self._admission.decide(arrival.text, arrival.origin)
        except Exception as error:  # noqa: BLE001 - the text stays in its source, so it would end each worker in turn
            log.opt(exception=error).error("a text could not be checked", bytes=len(arrival.text))
            reason = "pageworker could not check this text: a bug"
            return [RejectedText(arrival.text, "internal_error", reason, tenant=arrival.origin)]

    async def _reject(self, rejected: RejectedText, reading: str) -> None:
        arguments = (rejected.raw, rejected.reason, rejected.identity, rejected.result, rejected.callback, reading)
        await self._availability.retry_until_available(
            lambda: self._producer.reject(
                *arguments, bound=rejected.bound, tenant=rejected.tenant, batch=rejected.batch
            )
        )
        self._metrics.jobs.rejected(rejected.type)
        ref = rejected.identity
        line = log.bind(**fields_of_result(ref, rejected.result)) if ref else log
        line.warning("rejected", type=rejected.type, reason=rejected.reason)


def _trace(tracer: Tracer, new_jobs: list[NewJob], arrived_at: float, replies: list[Enqueued]) -> None:
    for new_job, reply in zip(new_jobs, replies, strict=True):
        trace_id = trace_id_of(new_job.trace, new_job.ref)
        if (trace := tracer.job(new_job.ref, trace_id, new_job.trace, new_job.module[0])) is not None:
            trace.intake(arrived_at, reply)


def _aged(new_jobs: list[NewJob], seconds: float) -> list[NewJob]:
    """The same jobs with the time added that Redis was not available."""
    later = int(seconds * 1000)
    return [structs.replace(new_job, waited_ms=new_job.waited_ms + later) for new_job in new_jobs]


async def without_context(new_job: NewJob) -> NewJob:
    """The job as it is: used if intake has no registry."""
    return new_job


class ModuleContext:
    """Digests of hosts and options, from the manifest of each release.

    A wrong digest does no harm: the worker that runs the job checks it again and reassigns the job. With the right
    digest the job shares a warm runner at once.
    """

    def __init__(
        self,
        registry: Registry,
        profiles: ProfilePages,
        proxies: ProxyPolicies,
        budgets: EgressBudgets,
        isolation: ModuleIsolation,
    ) -> None:
        self._registry = registry
        self._isolation = isolation
        self._budgets = budgets
        self._proxies = proxies
        self._profiles = profiles
        self._manifests: dict[str, Manifest] = {}
        self._backoff_until = 0.0

    async def with_context(self, new_job: NewJob) -> NewJob:
        """The job with the digests of the release that it would run now; without them if the release cannot be had
        within FETCH_SECONDS."""
        manifest = await self._manifest(*new_job.module, new_job.ref)
        if manifest is None:
            return new_job
        of_profile = self._profiles.options(new_job.tenant_id, new_job.profile_id)
        of_tenant = self._profiles.of_tenant(new_job.tenant_id)
        try:
            options = combine(manifest.page, manifest.job_may_set, of_profile, new_job.page, of_tenant)
            proxy = self._proxies.choose(new_job.tenant_id, new_job.proxy_wish, manifest.proxy)
            isolation = self._isolation.of(manifest, new_job.profile_id)
        except (OptionRefused, ProxyRefused, IsolationRefused):
            # The worker that runs the job rejects it.
            return new_job
        return structs.replace(
            new_job,
            egress=egress_digest(manifest.egress),
            options=options_digest(options),
            flavor=manifest.flavor,
            proxy=proxy,
            one_page=bool(self._budgets.of(new_job.tenant_id, manifest)),
            isolation=isolation,
        )

    async def _manifest(self, name: str, pin: str | None, job: JobRef) -> Manifest | None:
        try:
            release = self._registry.resolve(name, pin, job)
            known = self._manifests.get(release.sha256)
            if known is None:
                if time.monotonic() < self._backoff_until:
                    return None
                async with asyncio.timeout(FETCH_SECONDS):
                    bundle = await self._registry.bundle(release)
                known = self._manifests[release.sha256] = bundle.manifest
        except ModuleError as wrong:
            if wrong.retryable:
                self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        except TimeoutError:
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        except OSError as failed:
            # The worker has no descriptors, memory or disk left. The job is queued without its digests.
            log.warning("module's hosts not known now", module=name, reason=failed.strerror or str(failed))
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        return known
