"""The highest index serial that the fleet has seen, one key per registry: a worker without a memory of its own must not
take an old index that somebody replays for the current one.

Key `<prefix>:registry:<identity>`, a hash: `serial`, `source`, `worker`, `at_ms`. The serial only rises; an operator
lowers it with `workerctl module serial --set`, for instance after somebody with access to Redis wrote one that does not
exist. Where Redis was emptied, the first worker that reads the index writes it again.
"""

import hashlib
import socket
from pathlib import Path
from typing import Protocol

import msgspec

from pageworker_sandbox.signing import IndexRolledBack
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import OutOfMemory, RedisClientError
from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

FLEET_EVENTS = "events:_fleet"
MOST_SOURCE = 500
MOST_SERIAL = 2**53
"""Of an index."""

# In one step, so that of two workers the one with the older index never overwrites the newer serial.
# KEYS: registry. ARGV: serial, source, worker. Replies with the highest serial, and whether it is new.
_RAISE = """
local highest = tonumber(redis.call('HGET', KEYS[1], 'serial') or 0) or 0
if highest > 9007199254740992 then
  highest = 0 -- no index may have it
end
if tonumber(ARGV[1]) <= highest then
  return { string.format('%.0f', highest), 0 }
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'serial', ARGV[1], 'source', ARGV[2], 'worker', ARGV[3],
  'at_ms', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
return { ARGV[1], 1 }
"""


class IndexBehindFleet(IndexRolledBack):
    """Signed and unexpired, but other workers have seen a newer one."""

    mend = (
        "a mirror may lag behind: wait for it; else somebody replays an old index. Where the fleet's serial itself is "
        "wrong, set it with `workerctl module serial --set N`"
    )


class FleetMemory(Protocol):
    """What a registry asks the fleet."""

    async def check(self, serial: int) -> None:
        """Raises IndexBehindFleet where the fleet knows a higher one, RegistryAway where it can not be asked."""

    async def report(self, refused: Exception) -> None:
        """An index was refused: tell operators. Never raises."""


class SeenIndex(msgspec.Struct, frozen=True):
    """What the fleet has seen of one registry. `at_ms`: when, by Redis' clock."""

    serial: int
    source: str = ""
    worker: str = ""
    at_ms: int = 0


def registry_key(settings: Settings, data_dir: Path) -> str:
    """Workers whose `modules.registry` is the same text share a registry. Without one each data folder has its own."""
    source = settings.modules.registry or f"{socket.gethostname()}:{data_dir}/registry"
    return f"{settings.redis.prefix}:registry:{hashlib.sha256(source.encode()).hexdigest()[:16]}"


class FleetSerial:
    """One worker's way to it. Waits while Redis is away: without Redis there is no job that needs a module."""

    def __init__(
        self, redis_client: RedisClient, settings: Settings, data_dir: Path, worker: str, metrics: Metrics
    ) -> None:
        self._redis_client = redis_client
        self._key = registry_key(settings, data_dir)
        self._channel = f"{settings.redis.prefix}:{FLEET_EVENTS}"
        self._source = redact_url(settings.modules.registry or str(data_dir / "registry"))[:MOST_SOURCE]
        self._worker = worker
        self._metrics = metrics

    async def check(self, serial: int) -> None:
        """As FleetMemory says; a higher serial than the fleet's becomes the fleet's."""
        try:
            highest = await self._redis_client.availability.retry_until_available(lambda: self._raise(serial))
        except RedisClientError as error:
            raise RegistryAway(f"the fleet's serial of the index is unknown: {error}", "look at Redis") from error
        self._metrics.registry_serial.set(highest)
        if serial < highest:
            raise IndexBehindFleet(f"index {serial} is older than {highest}, which other workers have seen")

    async def report(self, refused: Exception) -> None:
        """An event, and a number for alerts."""
        kind = str(getattr(refused, "type", "unknown"))
        self._metrics.index_refused(kind)
        event = {
            "event": "registry_refused",
            "worker_id": self._worker,
            "detail": {"type": kind, "reason": str(refused), "source": self._source},
        }
        try:
            await self._redis_client.send("PUBLISH", self._channel, msgspec.json.encode(event), key=self._key)
        except RedisClientError as error:
            log.info("event not published", reason=str(error))

    async def _raise(self, serial: int) -> int:
        known = await seen(self._redis_client, self._key)
        if known is not None and known.serial >= serial:
            return known.serial
        words = ("EVAL", _RAISE, 1, self._key, serial, self._source, self._worker)
        try:
            highest, _ = await self._redis_client.send(*words, key=self._key)
        except OutOfMemory:
            # The serial is written down later; that memory is short must not keep modules from anybody.
            return serial
        return int(highest)


async def seen(redis_client: RedisClient, key: str) -> SeenIndex | None:
    """What the fleet knows. None: nothing yet. Raises RedisClientError."""
    reply = await redis_client.send("HMGET", key, "serial", "source", "worker", "at_ms", key=key)
    serial, source, worker, at_ms = (b"" if value is None else bytes(value) for value in reply)
    if not serial.isdigit() or int(serial) > MOST_SERIAL:
        return None
    return SeenIndex(int(serial), source.decode(errors="replace"), worker.decode(errors="replace"), int(at_ms or b"0"))


async def set_serial(redis_client: RedisClient, key: str, serial: int) -> None:
    """By an operator: lower or higher; 0 forgets it. Raises RedisClientError."""
    if serial == 0:
        await redis_client.send("DEL", key, key=key)
    else:
        await redis_client.send("HSET", key, "serial", serial, "worker", "workerctl", key=key)
