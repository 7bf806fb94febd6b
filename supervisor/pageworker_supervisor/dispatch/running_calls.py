"""The queue calls of an attempt before its end: it begins, tells what its handler reports, and stores artifacts."""

import msgspec

from pageworker_sandbox.wire.messages import OnceRequest
from pageworker_supervisor.contract.event import TenantEvent, encode_event
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.dispatch.claimed_job import ClaimedJob
from pageworker_supervisor.dispatch.outcome import attempt_number
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError


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
        event = TenantEvent(
            event="progress",
            job_id=attempt.job.job_id,
            tenant_id=attempt.job.tenant_id,
            attempt=attempt_number(attempt.job, attempt.lease),
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
