"""The rate of requests to each host, of all workers together: reserves the moment at which a request may begin."""

import time
from collections.abc import Callable, Sequence
from math import ceil

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards
from pageworker_supervisor.redis_client.router import shard_of


class RequestRate(Struct, frozen=True):
    """How many requests a host gets from the fleet."""

    per_second: float
    burst: int = 1
    """Requests that may begin at once, after a pause."""

    @property
    def interval_seconds(self) -> float:
        """Between two requests, once the burst is used up."""
        return 1 / self.per_second


class ReservedMoments(Struct, frozen=True):
    """When requests of one call may begin, in seconds from the call on."""

    waits: tuple[float | None, ...]
    """By request. None: longer than it may wait, and nothing was reserved for it."""
    next_seconds: float
    """When one further request might begin, at the earliest."""


class RequestRates:
    """One host is on one shard, by its name, whichever tenants send the requests: so its rate is not divided."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: Sequence[float]) -> ReservedMoments:
        """Reserve a moment for each of several requests to `host`. `longest_seconds`: how long each one may wait.

        Raises RedisClientError. A repeated call reserves again.
        """
        *waits, next_us = await self._shards.call(
            shard_of(host, len(self._shards)),
            "reserve_requests",
            host=host,
            interval_us=ceil(rate.interval_seconds * 1e6),
            burst=rate.burst,
            longest_us=[int(longest * 1e6) for longest in longest_seconds],
        )
        return ReservedMoments(tuple(None if wait < 0 else wait / 1e6 for wait in waits), next_us / 1e6)


class LocalRequestRates(RequestRates):
    """The rate of one process, in place of the fleet's: for jobs that run without Redis."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic
    ) -> None:  # no call of the base: it has nothing but Redis
        self._now = now
        self._free_at: dict[str, float] = {}
        """By host: when a host with burst 1 would permit one more request."""

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: Sequence[float]) -> ReservedMoments:
        """As `RequestRates.reserve`."""
        now = self._now()
        free_at = max(now, self._free_at.get(host, now))
        waits: list[float | None] = []
        for longest in longest_seconds:
            wait = _wait(free_at, rate, now)
            waits.append(wait if wait <= longest else None)
            free_at += rate.interval_seconds if wait <= longest else 0.0
        self._free_at[host] = free_at
        return ReservedMoments(tuple(waits), _wait(free_at, rate, now))


def _wait(free_at: float, rate: RequestRate, now: float) -> float:
    return max(0.0, free_at - (rate.burst - 1) * rate.interval_seconds - now)
