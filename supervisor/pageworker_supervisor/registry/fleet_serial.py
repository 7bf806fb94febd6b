"""Keeps, in one key of Redis per registry, the highest index serial that any worker has accepted.

It protects a new worker, which has no serial of its own on disk: an attacker cannot replay an old index to it. The key
`<prefix>:registry:<identity>` is a hash with `serial`, `source`, `worker` and `at_ms`. The serial only rises. An
operator can lower it with `workerctl module serial --set`, for example after a wrong serial was written into Redis. If
Redis was emptied, the first worker that reads the index writes the serial again.
"""

import hashlib
import socket
from pathlib import Path
from typing import Protocol

import msgspec

from pageworker_sandbox.signing import IndexRolledBack, Untrusted
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import OutOfMemory, RedisClientError
from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

FLEET_EVENTS = "events:_fleet"
MOST_SOURCE = 500
MOST_REASON = 500
MOST_SERIAL = 2**53
"""Highest serial that an index may have."""

# One atomic step, so that a worker with an older index never overwrites a newer serial.
# KEYS: registry. ARGV: serial, source, worker. Replies with the highest serial, and whether it is new.
_RAISE = """
local highest = tonumber(redis.call('HGET', KEYS[1], 'serial') or 0) or 0
if highest > 9007199254740992 then
  highest = 0 -- not valid: no index may have it
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
    """The index is signed and has not expired, but another worker has accepted a newer one."""

    mend = (
        "wait if the registry is a mirror that lags behind; otherwise an attacker may be replaying an old index. If "
        "the serial in Redis is wrong, correct it with `workerctl module serial --set N`"
    )


class FleetMemory(Protocol):
    """What a Registry needs to know from the other workers."""

    async def check(self, serial: int) -> None:
        """Raises IndexBehindFleet if another worker accepted a higher serial, RegistryAway if Redis does not answer."""

    async def report(self, refused: Exception) -> None:
        """Report to operators that an index was refused. Never raises."""

    async def report_load_failure(self, module: str, version: str, tenant_id: str, reason: str) -> None:
        """Report to operators that a version does not load. Never raises."""

    def count(self, refused: Untrusted) -> None:
        """Count an index or bundle that is not trusted, at each try."""


class SeenIndex(msgspec.Struct, frozen=True):
    """The highest accepted serial of one registry. `at_ms` is the time by the clock of Redis."""

    serial: int
    source: str = ""
    worker: str = ""
    at_ms: int = 0


def registry_key(settings: Settings, data_dir: Path) -> str:
    """The Redis key of a registry. Workers with the same text in `modules.registry` share it; by default it is per
    data folder."""
    source = settings.modules.registry or f"{socket.gethostname()}:{data_dir}/registry"
    return f"{settings.redis.prefix}:registry:{hashlib.sha256(source.encode()).hexdigest()[:16]}"


class FleetSerial:
    """Reads and raises the serial for one worker. Waits while Redis is away: without Redis no job needs a module."""

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
        """See FleetMemory. A serial that is higher than the stored one is stored."""
        try:
            highest = await self._redis_client.availability.retry_until_available(lambda: self._raise(serial))
        except RedisClientError as error:
            raise RegistryAway(f"the highest index serial in Redis cannot be read: {error}", "check Redis") from error
        self._metrics.modules.serial.set(highest)
        if serial < highest:
            raise IndexBehindFleet(f"index {serial} is older than index {highest}, which other workers have accepted")

    async def report(self, refused: Exception) -> None:
        """Publish an event and count a metric."""
        kind = str(getattr(refused, "type", "unknown"))
        self._metrics.modules.index_refused(kind)
        await self._publish("registry_refused", {"type": kind, "reason": str(refused), "source": self._source})

    async def report_load_failure(self, module: str, version: str, tenant_id: str, reason: str) -> None:
        """Publish an event and count a metric."""
        self._metrics.modules.load_failed()
        detail = {"module": module, "version": version, "tenant_id": tenant_id, "reason": reason[:MOST_REASON]}
        await self._publish("module_refused", detail)

    async def _publish(self, name: str, detail: dict[str, str]) -> None:
        event = {"event": name, "worker_id": self._worker, "detail": detail}
        try:
            await self._redis_client.send("PUBLISH", self._channel, msgspec.json.encode(event), key=self._key)
        except RedisClientError as error:
            log.info("event not published", reason=str(error))

    def count(self, refused: Untrusted) -> None:
        """See FleetMemory."""
        self._metrics.modules.signature_failed(refused.reason)

    async def _raise(self, serial: int) -> int:
        known = await seen(self._redis_client, self._key)
        if known is not None and known.serial >= serial:
            return known.serial
        words = ("EVAL", _RAISE, 1, self._key, serial, self._source, self._worker)
        try:
            highest, _ = await self._redis_client.send(*words, key=self._key)
        except OutOfMemory:
            # The serial is stored later. Modules must stay available while Redis is short of memory.
            return serial
        return int(highest)


async def seen(redis_client: RedisClient, key: str) -> SeenIndex | None:
    """The stored serial. None if there is none, or if it is not valid. Raises RedisClientError."""
    reply = await redis_client.send("HMGET", key, "serial", "source", "worker", "at_ms", key=key)
    serial, source, worker, at_ms = (b"" if value is None else bytes(value) for value in reply)
    if not serial.isdigit() or int(serial) > MOST_SERIAL:
        return None
    return SeenIndex(int(serial), source.decode(errors="replace"), worker.decode(errors="replace"), int(at_ms or b"0"))


async def set_serial(redis_client: RedisClient, key: str, serial: int) -> None:
    """Set the serial, lower or higher, for an operator. 0 deletes it. Raises RedisClientError."""
    if serial == 0:
        await redis_client.send("DEL", key, key=key)
    else:
        await redis_client.send("HSET", key, "serial", serial, "worker", "workerctl", key=key)
