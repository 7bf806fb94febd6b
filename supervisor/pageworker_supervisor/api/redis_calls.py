"""Calls to Redis for requests: a bounded number at once, each with a time limit. A failure is a problem document."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.redis_client.errors import OutOfMemory, RedisClientError
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

CONCURRENCY = 64
"""Calls at the same time. A call takes about a millisecond. Each has a connection of its own."""
TURN_SECONDS = 5.0
"""A request that got no turn within this time is refused."""
CALL_SECONDS = 10.0
"""For all commands of one call, e.g. 16 for 1,000 jobs."""
AGAIN_SECONDS = 2.0
AGAIN = "repeat the request: what is done already stays done"


class RedisCalls:
    """The turns of all requests."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(CONCURRENCY)

    async def run(self, call: Awaitable[T]) -> T:
        """The value of a call, once there is a turn for it. Raises ApiProblem."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            _close(call)
            raise ApiProblem("overloaded", "Too many requests wait for Redis", retry_after=AGAIN_SECONDS) from None
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await call
        except TimeoutError:
            # One request may be many commands, each of which Redis answers: a batch of 100,000 jobs that is cancelled.
            raise _away(f"Redis did not finish the request within {CALL_SECONDS:g} s", AGAIN) from None
        except OutOfMemory as full:
            raise _away("Redis has no memory left") from full
        except RedisClientError as error:
            log.warning("a request was not served", reason=str(error))
            # Its text holds addresses of the host.
            raise _away("Redis does not serve the API now") from error
        finally:
            self._turns.release()


def _close(call: Awaitable[T]) -> None:
    close = getattr(call, "close", None)
    if close is not None:
        close()


def _away(detail: str, hint: str = "") -> ApiProblem:
    return ApiProblem("redis_unavailable", detail, hint=hint, retry_after=AGAIN_SECONDS)
