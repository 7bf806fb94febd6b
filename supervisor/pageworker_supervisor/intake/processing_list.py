"""The texts that a worker has taken from lists and the queue does not have yet: one list per worker, in Redis.

`<base>:processing:<worker>` is the list. `<base>:workers` has every worker that may have one, with its last heartbeat
(seconds, Redis' clock). A worker is registered in the same step in which it takes texts, and removed in the same step
in which its list is found empty. A live worker that is wrongly declared dead loses no text.
"""

from typing import Any

from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient

BATCH = 256
BATCH_BYTES = 1024 * 1024

# KEYS: from, to, workers. ARGV: worker, most texts, most bytes, dead worker, seconds of silence that make it dead.
_ADOPT = """
local dead = ARGV[4]
local heartbeat = tonumber(redis.call('ZSCORE', KEYS[3], dead) or 0)
if heartbeat > redis.call('TIME')[1] - ARGV[5] then
  return {}
end
redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[1])
local texts, bytes = {}, 0
while #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local text = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not text then
    redis.call('ZREM', KEYS[3], dead)
    break
  end
  texts[#texts + 1] = text
  bytes = bytes + #text
end
return texts
"""

# KEYS: processing. ARGV: texts.
_REMOVE = """
for _, text in ipairs(ARGV) do
  redis.call('LREM', KEYS[1], 1, text)
end
return #ARGV
"""

# KEYS: workers. ARGV: worker, seconds. Returns the workers whose last heartbeat is older than these seconds.
_HEARTBEAT = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2], 'LIMIT', 0, 100)
"""

# KEYS: workers. ARGV: worker, seconds.
_LEAVE = """
return redis.call('ZADD', KEYS[1], 'XX', redis.call('TIME')[1] - ARGV[2], ARGV[1])
"""


class ProcessingList:
    """The list of one worker, and those of dead ones. Every call may be repeated. Raises RedisClientError."""

    def __init__(
        self, redis_client: RedisClient, routed: str, base: str, worker_id: str, timing: IntakeTimeouts
    ) -> None:
        """`routed`: a key of the slot that all keys of `base` are in."""
        self.workers = f"{base}:workers"
        self.key = f"{base}:processing:{worker_id}"
        self._redis_client = redis_client
        self._routed = routed
        self._base = base
        self._worker_id = worker_id
        self._timing = timing

    async def leftovers(self) -> list[bytes]:
        """A batch that this worker took and did not queue, because a reply was lost or the worker was restarted."""
        found: list[bytes] = await self._redis_client.send("LRANGE", self.key, 0, BATCH - 1, key=self._routed)
        return found

    async def adopt(self, dead: str) -> list[bytes]:
        """A batch that a dead worker took. Empty: it is alive after all, or had nothing left and is unregistered."""
        keys = (f"{self._base}:processing:{dead}", self.key, self.workers)
        silent = self._timing.silent_seconds
        found: list[bytes] = await self._eval(_ADOPT, keys, self._worker_id, BATCH, BATCH_BYTES, dead, silent)
        return found

    async def remove(self, texts: list[bytes]) -> None:
        """The queue has these texts: remove them."""
        await self._eval(_REMOVE, (self.key,), *texts)

    async def heartbeat(self) -> list[str]:
        """Record a heartbeat. Returns the workers without one for `silent_seconds`."""
        dead = await self._eval(_HEARTBEAT, (self.workers,), self._worker_id, self._timing.silent_seconds)
        return [name.decode() for name in dead if name != self._worker_id.encode()]

    async def leave(self) -> None:
        """The worker stops. Others take over as soon as its last blocked read must have ended."""
        spared = self._timing.silent_seconds - self._timing.block_seconds - 1
        await self._eval(_LEAVE, (self.workers,), self._worker_id, max(0, int(spared)))

    async def _eval(self, script: str, keys: tuple[str, ...], *args: str | bytes | float) -> Any:
        return await self._redis_client.send("EVAL", script, len(keys), *keys, *args, key=self._routed)
