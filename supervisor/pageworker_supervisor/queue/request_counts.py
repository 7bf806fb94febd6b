"""The requests to each host that are open, of all workers together: how many of them one worker may have."""

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards
from pageworker_supervisor.redis_client.router import shard_of

LEASE_SECONDS = 30.0
"""How long a worker's count is valid. See queue/lua/fn_open_requests.lua."""


class CountReply(Struct, frozen=True):
    """The answer to a worker that told its count."""

    granted: int
    """Permits that it has now, beside those that it told."""
    keep: int | None
    """How many it may keep, because other workers wait for the rest, or the limit was lowered. None: all of them."""
    retry_seconds: float
    """When it may ask again for what it was not granted."""


class RequestCounts:
    """One host is on one shard, by its name, as its rate."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def hold(self, host: str, worker_id: str, *, limit: int, holds: int, wants: int) -> CountReply:
        """Tell that a worker has `holds` permits for open requests to `host`, and ask for `wants` more.

        `limit`: of the host, for all workers together. Raises RedisClientError. A repeated call changes nothing.
        """
        granted, keep, retry_ms = await self._shards.call(
            shard_of(host, len(self._shards)),
            "hold_requests",
            host=host,
            worker=worker_id,
            limit=limit,
            holds=holds,
            wants=wants,
        )
        return CountReply(granted, None if keep < 0 else keep, retry_ms / 1000)


class LocalRequestCounts(RequestCounts):
    """The counts of one process, in place of the fleet's: for jobs that run without Redis."""

    def __init__(self) -> None:  # no call of the base: it has nothing but Redis
        pass

    async def hold(self, host: str, worker_id: str, *, limit: int, holds: int, wants: int) -> CountReply:
        """As `RequestCounts.hold`. No other worker has or wants any."""
        granted = max(0, min(wants, limit - holds))
        return CountReply(granted, None, 0.1 if granted < wants else 0.0)
