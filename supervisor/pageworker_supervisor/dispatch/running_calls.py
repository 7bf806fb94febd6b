"""The queue calls of an attempt before its end: it begins, tells what its handler reports, and stores artifacts."""

from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import structs

from pageworker_sandbox.wire.messages import OnceRequest
from pageworker_supervisor.contract.event import TenantEvent, encode_event
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.dispatch.outcome import attempt_number
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.runners.runner import Runner

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.tracing.job_trace import AttemptTrace


class ClaimedJob(Protocol):
    """What the settlement has to know of a claimed job. `version`: its module's, once that is resolved. `rollout`: the
    one of which it is part. `claimed_at`: on the monotonic clock. `left_at`: when it gave up its permits; None: it has
    not. `proxy`: its policy and the upstream used last. `has_unused_profile`: its claim locked a profile that no runner
    of this worker has open."""

    lease: Lease
    job: Job
    version: str | None
    rollout: Rollout | None
    claimed_at: float
    left_at: float | None
    proxy: str | None
    log: "Logger"
    trace: "AttemptTrace | None"

    @property
    def runner(self) -> Runner | None:
        """The runner on which it has, or had, a page."""

    @property
    def traffic(self) -> Traffic:
        """What this attempt has used of the network."""

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """What its module has reported so far."""

    @property
    def has_unused_profile(self) -> bool: ...

    def use(self, outcome: str | None = None, error: str | None = None) -> bytes:
        """JSON of what it has used, for the job's history."""


class RunningCalls:
    """Those of one worker's attempts. Every call is idempotent. All but `progress` are repeated until Redis answers."""

    def __init__(self, queue: JobConsumer, availability: Availability) -> None:
        self._queue = queue
        self._availability = availability

    async def begun(self, attempt: ClaimedJob) -> None:
        """Its handler has begun."""
        await self._availability.retry_until_available(lambda: self._queue.begin(attempt.lease, used=attempt.use()))

    async def progress(self, attempt: ClaimedJob, step: StepRecord) -> None:
        """Publish the newest step, and keep it in the job's record. If Redis does not answer, it is not told again."""
        number = attempt_number(attempt.job, attempt.lease)
        step = structs.replace(step, attempt=number)
        event = TenantEvent(
            event="progress",
            job_id=attempt.job.job_id,
            tenant_id=attempt.job.tenant_id,
            attempt=number,
            detail=msgspec.to_builtins(step, str_keys=True),
        )
        try:
            await self._queue.progress(attempt.lease, msgspec.json.encode(step), encode_event(event))
        except RedisClientError as error:
            attempt.log.debug("a step was not published", reason=str(error))

    async def store(self, attempt: ClaimedJob) -> None:
        """Its handler has ended. Its artifacts are not stored yet: it keeps its lease, and gives up its permits."""
        attempt.log.info("artifacts are being stored")
        await self._availability.retry_until_available(lambda: self._queue.store(attempt.lease))

    async def once(self, attempt: ClaimedJob, request: OnceRequest) -> OnceReply:
        """Record a side effect of the handler, or tell what is recorded of it. Waits for Redis."""
        return await self._availability.retry_until_available(
            lambda: self._queue.once(
                *(attempt.lease, request.key, request.act), call_number=request.number, value=request.value
            )
        )
