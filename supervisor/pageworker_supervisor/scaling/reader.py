"""Reads the state of the fleet from Redis alone: bounded work per reading, whatever the queue holds."""

import asyncio
from typing import Any

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.demand import ShardDemand
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RightMissing
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.router import root
from pageworker_supervisor.scaling.backlog_walk import BacklogWalk
from pageworker_supervisor.scaling.fleet_state import (
    FleetState,
    IngressState,
    RedisMemory,
    pages_per_runner,
    reports_from,
    seen_since,
    state_from,
    stream_age,
    sum_memory,
)
from pageworker_supervisor.scaling.tenant_backlog import TenantBacklogReader
from pageworker_supervisor.telemetry import log

BACKLOGS_PER_CALL = 200
"""Redis serves no other client during a call. A backlog takes it about 35 µs on a slow machine."""
CALLS_PER_SHARD = 5
"""A shard with more backlogs than BACKLOGS_PER_CALL * CALLS_PER_SHARD is looked at in parts, one per reading."""
SHARDS_AT_ONCE = 16
MAX_REPORTS = 5000
MAX_PAUSES = 1000
SILENT_SECONDS = 60
"""If the intake of a worker sends no heartbeat for this time, what it took in waits for another worker."""
MAX_PROCESSING_LISTS = 200

# KEYS: inbox, workers, seen. ARGV: seconds of silence, most processing lists. Returns the inbox' length, a mark of its
# first and of its last text, `seen` (intake/list_source.py), the texts that silent workers left behind, and the time in
# milliseconds.
_INBOX = """
local function mark(at)
  local text = redis.call('LINDEX', KEYS[1], at)
  return text and #text .. redis.sha1hex(string.sub(text, 1, 512) .. string.sub(text, -512)) or ''
end
local time = redis.call('TIME')
local left = 0
local silent = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', time[1] - ARGV[1], 'LIMIT', 0, ARGV[2])
for _, worker in ipairs(silent) do
  left = left + redis.call('LLEN', '{' .. KEYS[1] .. '}:processing:' .. worker)
end
return {
  redis.call('LLEN', KEYS[1]), mark(0), mark(-1), redis.call('GET', KEYS[3]) or '', left,
  time[1] * 1000 + math.floor(time[2] / 1000),
}
"""


class FleetReader:
    """Reads one fleet. Remembers between readings only what shows since when a text waits, and the parts of a walk
    over many backlogs."""

    def __init__(self, redis_client: RedisClient, queue: QueueClient, settings: Settings) -> None:
        self._redis_client = redis_client
        self._queue = queue
        self._settings = settings
        self._prefix = settings.redis.prefix
        self._walks = [BacklogWalk() for _ in range(queue.shards)]
        self._marks: tuple[bytes, bytes] = (b"", b"")
        self._marked_at_ms = 0
        self._info_refused = False
        self._inboxes = TenantBacklogReader(redis_client.ingress, queue.config, settings, SILENT_SECONDS)

    async def read(self, last_pages: float | None = None) -> FleetState:
        """One reading. `last_pages`: see `state_from`. Raises RedisClientError, SchemaMismatch."""
        reports = await self._reports()
        pages = pages_per_runner(reports, self._settings)
        shards: list[tuple[ShardDemand, float] | None] = [None] * self._queue.shards
        pauses: list[bytes] = []
        gate = asyncio.Semaphore(SHARDS_AT_ONCE)

        async def look(shard: int) -> None:
            async with gate:
                shards[shard] = await self._shard(shard, pages)
                pauses.extend(await self._pauses(shard))

        await fan_out(look(shard) for shard in range(self._queue.shards))
        found = [each for each in shards if each is not None]
        return state_from(
            [demand for demand, _ in found],
            [part for _, part in found],
            await self._ingress(),
            reports,
            pauses,
            await self._memory(),
            self._settings,
            last_pages,
        )

    async def _shard(self, shard: int, pages: int) -> tuple[ShardDemand, float]:
        """The demand, and the part of the backlogs that is known."""
        horizon_ms = int(self._settings.scaling.worker_start_seconds * 1000)
        walk = self._walks[shard]
        for _ in range(CALLS_PER_SHARD):
            walk.add(
                await self._queue.inspection.demand(
                    shard, walk.position, BACKLOGS_PER_CALL, pages=pages, horizon_ms=horizon_ms
                )
            )
            if not walk.position:
                break
        return walk.total()

    async def _ingress(self) -> IngressState:
        inbox, stream = f"{self._prefix}:inbox", f"{self._prefix}:jobs"
        keys = (inbox, f"{{{inbox}}}:workers", f"{{{inbox}}}:seen")
        client = self._redis_client.ingress
        length, first, last, seen, left, now_ms = await client.send(
            "EVAL", _INBOX, len(keys), *keys, SILENT_SECONDS, MAX_PROCESSING_LISTS, key=inbox
        )
        entries = await client.send("XRANGE", stream, "-", "+", "COUNT", 1, key=stream)
        entry = entries[0][0] if entries else None
        tenants = await self._inboxes.read(now_ms / 1000)
        inbox_seconds = self._inbox_seconds(length, (first, last), seen, now_ms)
        return IngressState(
            inbox=length + tenants.texts,
            inbox_seconds=_longest(inbox_seconds, tenants.texts_seconds),
            left_behind=left + tenants.left_behind,
            stream=await client.send("XLEN", stream, key=stream) + tenants.entries,
            stream_seconds=_longest(stream_age(entry, now_ms / 1000), tenants.entries_seconds),
        )

    def _inbox_seconds(self, length: int, marks: tuple[bytes, bytes], seen: bytes, now_ms: int) -> float | None:
        """Since when a text of the list is known to wait: by the intake of the workers, or by two readings that found
        the same text at one of its ends."""
        same = any(mark and mark == before for mark, before in zip(marks, self._marks, strict=True))
        if not same:
            self._marked_at_ms = now_ms
        self._marks = marks
        if not length:
            return None
        return max(0, now_ms - min(self._marked_at_ms, seen_since(seen, now_ms))) / 1000

    async def _reports(self) -> list[WorkerReport]:
        key = shard_key(root(self._prefix, 0), "worker_reports")
        if await self._redis_client.send("HLEN", key, key=key) > MAX_REPORTS:
            return []
        return reports_from(_values(await self._redis_client.send("HGETALL", key, key=key)))

    async def _pauses(self, shard: int) -> list[bytes]:
        """Pauses of tenants are on their shards, those of modules and domains on every shard."""
        key = shard_key(root(self._prefix, shard), "paused")
        if not 0 < await self._redis_client.send("HLEN", key, key=key) <= MAX_PAUSES:
            return []
        pairs = await self._redis_client.send("HGETALL", key, key=key)
        return [field + b" " + value for field, value in _pairs(pairs)]

    async def _memory(self) -> RedisMemory | None:
        """None if this user may not call INFO."""
        if self._info_refused:
            return None
        try:
            memory = await self._redis_client.send_to_primaries("INFO", "memory")
            stats = await self._redis_client.send_to_primaries("INFO", "stats")
        except RightMissing as error:
            self._info_refused = True
            log.warning("the memory of Redis is not shown: the user may not call INFO", error=str(error))
            return None
        return sum_memory([{**one, **other} for one, other in zip(memory, stats, strict=True)])


def _longest(*ages: float | None) -> float | None:
    return max((age for age in ages if age is not None), default=None)


def _pairs(reply: Any) -> list[tuple[bytes, bytes]]:
    """HGETALL as redis-py gives it: a map, or a list through a Cluster's pipeline."""
    return list(reply.items()) if isinstance(reply, dict) else list(zip(reply[::2], reply[1::2], strict=True))


def _values(reply: Any) -> list[bytes]:
    return [value for _, value in _pairs(reply)]
