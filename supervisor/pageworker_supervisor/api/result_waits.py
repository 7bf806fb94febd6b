"""Waits for results of jobs, of any number of callers, over one connection to Redis."""

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.queue.inspection import QueueInspection
from pageworker_supervisor.redis_client.channels import ChannelListener
from pageworker_supervisor.redis_client.errors import RedisUnavailable

LOOK_SECONDS = 1.0
"""Between two looks while Redis confirms no subscription."""


class _NamedResult(Struct, frozen=True):
    job_id: str


_named = msgspec.json.Decoder(_NamedResult)


class TenantWaits:
    """Those who wait for results of one tenant: a reader of its channel."""

    def __init__(self) -> None:
        self._jobs: dict[str, set[asyncio.Future[bytes | None]]] = {}
        """By job id. A future gets the result, or None: look at the job again."""

    def __bool__(self) -> bool:
        return bool(self._jobs)

    @contextlib.contextmanager
    def expecting(self, job_id: str) -> Iterator[asyncio.Future[bytes | None]]:
        """The result that comes during the block."""
        arriving: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        futures = self._jobs.setdefault(job_id, set())
        futures.add(arriving)
        try:
            yield arriving
        finally:
            futures.discard(arriving)
            if not futures:
                self._jobs.pop(job_id, None)

    def message(self, untrusted_text: bytes) -> None:
        """A result of the tenant."""
        try:
            job_id = _named.decode(untrusted_text).job_id
        except UNREADABLE:
            return
        self._tell(job_id, untrusted_text)

    def gap(self) -> None:
        """Results may have been lost."""
        for job_id in self._jobs:
            self._tell(job_id, None)

    def _tell(self, job_id: str, result: bytes | None) -> None:
        for each in self._jobs.get(job_id, ()):
            if not each.done():
                each.set_result(result)


class ResultWaits:
    """All who wait."""

    def __init__(self, inspection: QueueInspection, listener: ChannelListener, prefix: str, calls: RedisCalls) -> None:
        self._inspection = inspection
        self._calls = calls
        self._listener = listener
        self._prefix = prefix
        self._tenants: dict[str, TenantWaits] = {}

    async def result(self, ref: JobRef, seconds: float) -> bytes | None:
        """The result (JSON) once there is one; None: there is none after `seconds`, or the job is unknown.

        A job that runs anew has no result yet, whatever is kept of it. Raises ApiProblem.
        """
        found, ended = await self._calls.run(self._look(ref))
        if ended or seconds <= 0:
            return found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._wait(ref)
        return (await self._calls.run(self._look(ref)))[0]

    async def _wait(self, ref: JobRef) -> bytes | None:
        waits = self._tenants.setdefault(ref.tenant_id, TenantWaits())
        try:
            with waits.expecting(ref.job_id):  # so that the object is kept while this caller waits
                while True:
                    try:
                        return await self._listen(ref, waits)
                    except RedisUnavailable:
                        await asyncio.sleep(LOOK_SECONDS)
        finally:
            if not waits:
                self._tenants.pop(ref.tenant_id, None)

    async def _listen(self, ref: JobRef, waits: TenantWaits) -> bytes | None:
        async with self._listener.listening(f"{self._prefix}:results:{ref.tenant_id}", waits):
            while True:
                with waits.expecting(ref.job_id) as arriving:
                    found, ended = await self._calls.run(self._look(ref))
                    if ended:
                        return found
                    if (result := await arriving) is not None:
                        return result

    async def _look(self, ref: JobRef) -> tuple[bytes | None, bool]:
        """The result, and whether no other will come."""
        if await self._inspection.progress(ref) is not None:
            return None, False
        return await self._inspection.result(ref), True
