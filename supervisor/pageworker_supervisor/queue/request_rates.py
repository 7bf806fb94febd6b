"""The rate of requests to each host, of all workers together: reserves the moment at which a request may begin."""

import time
from collections.abc import Callable
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


class RequestRates:
    """One host is on one shard, by its name, whichever tenants send the requests: so its rate is not divided."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: float) -> float | None:
        """Seconds until one request to `host` may begin. None: longer than `longest_seconds`, nothing is reserved.

        Raises RedisClientError. A repeated call reserves again.
        """
        microseconds: int = await self._shards.call(
            shard_of(host, len(self._shards)),
            "reserve_request",
            host=host,
            interval_us=ceil(rate.interval_seconds * 1e6),
            burst=rate.burst,
            longest_us=int(longest_seconds * 1e6),
        )
        return None if microseconds < 0 else microseconds / 1e6


class LocalRequestRates(RequestRates):
    """The rate of one process, in place of the fleet's: for jobs that run without Redis."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic
    ) -> None:  # no call of the base: it has nothing but Redis
        self._now = now
        self._free_at: dict[str, float] = {}
        """By host: when a host with burst 1 would permit one more request."""

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: float) -> float | None:
        """As `RequestRates.reserve`."""
        now = self._now()
        free_at = max(now, self._free_at.get(host, now))
        wait = max(0.0, free_at - (rate.burst - 1) * rate.interval_seconds - now)
        if wait > longest_seconds:
            return None
        self._free_at[host] = free_at + rate.interval_seconds
        return wait
