"""The producers' list. A text that is taken stays in a processing list of the worker until the queue has it.

All keys share the hash tag of the inbox, so that a cluster keeps them in one slot:
- `{pw:inbox}:processing:<worker>`: taken, not yet queued. A worker that takes over a dead one moves these texts to its
  own list.
- `{pw:inbox}:workers`: every worker that may have a processing list, with its last heartbeat (seconds, Redis' clock).
- `{pw:inbox}:seen`: the texts that the last take left in the inbox, and since when they are known to wait.

A worker is registered in the same step in which it takes texts, and removed in the same step in which its list is found
empty: every processing list is registered. A live worker that is wrongly declared dead loses no job.
"""

from typing import Any

from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient

BATCH = 256
BATCH_BYTES = 1024 * 1024

# KEYS: inbox, processing, workers, seen. ARGV: worker, most texts, most bytes. Returns the texts, and how long each is
# known to have waited (ms).
#
# `seen` is `<mark of the first text> <mark of the last> <count>:<since> …`, in the order of the list. If the first text
# is still the first, the new texts are behind it (RPUSH); if the last is still the last, they are before it (LPUSH). If
# neither is, the record is worthless, and every text counts from now.
_TAKE = """
local function mark(at)
  local text = redis.call('LINDEX', KEYS[1], at)
  return text and #text .. redis.sha1hex(string.sub(text, 1, 512) .. string.sub(text, -512))
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[1])
local length, known, spans = redis.call('LLEN', KEYS[1]), 0, {}
local first, last, rest = string.match(redis.call('GET', KEYS[4]) or '', '^(%S+) (%S+) (.*)$')
for count, since in string.gmatch(rest or '', '(%d+):(%d+)') do
  spans[#spans + 1] = { tonumber(count), tonumber(since) }
  known = known + tonumber(count)
end
local added = length - known
local same_first, same_last = first and first == mark(0), last and last == mark(-1)
if added < 0 or not (same_first or same_last) or (added == 0 and not (same_first and same_last)) then
  spans, added = {}, length
end
if added > 0 then
  table.insert(spans, (same_first or #spans == 0) and #spans + 1 or 1, { added, now })
end
local texts, waits, bytes = {}, {}, 0
while #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local text = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not text then
    break
  end
  texts[#texts + 1] = text
  waits[#texts] = math.max(0, now - spans[1][2])
  bytes = bytes + #text
  spans[1][1] = spans[1][1] - 1
  if spans[1][1] == 0 then
    table.remove(spans, 1)
  end
end
while #spans > 32 do
  local newest = table.remove(spans)
  spans[#spans] = { spans[#spans][1] + newest[1], math.max(spans[#spans][2], newest[2]) }
end
if #spans == 0 then
  redis.call('DEL', KEYS[4])
else
  local said = { mark(0), mark(-1) }
  for _, span in ipairs(spans) do
    said[#said + 1] = string.format('%d:%.0f', span[1], span[2])
  end
  redis.call('SET', KEYS[4], table.concat(said, ' '))
  redis.call('EXPIRE', KEYS[4], 86400)
end
return { texts, waits }
"""

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


class ProducerList:
    """One worker's access to the list. Every call may be repeated. Raises RedisClientError."""

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        self.key = f"{prefix}:inbox"
        self._redis_client = redis_client
        self._worker_id = worker_id
        self._timing = timing
        self._workers = f"{{{self.key}}}:workers"
        self._seen = f"{{{self.key}}}:seen"
        self._mine = self._processing(worker_id)

    async def wait(self) -> list[Arrival]:
        """The next text; none if `block_seconds` pass without one."""
        _, text = await self._redis_client.send_together(
            [
                ("ZADD", self._workers, "NX", 0, self._worker_id),
                ("BLMOVE", self.key, self._mine, "LEFT", "RIGHT", self._timing.block_seconds),
            ],
            key=self.key,
            blocks=True,
        )
        return [] if text is None else [Arrival(text)]

    async def take(self) -> list[Arrival]:
        """The texts that are there now, at most a batch."""
        keys = (self.key, self._mine, self._workers, self._seen)
        texts, waits = await self._eval(_TAKE, keys, self._worker_id, BATCH, BATCH_BYTES)
        return [Arrival(text, waited) for text, waited in zip(texts, waits, strict=True)]

    async def leftovers(self) -> list[Arrival]:
        """A batch that this worker took and did not queue, because a reply was lost or the worker was restarted."""
        texts = await self._redis_client.send("LRANGE", self._mine, 0, BATCH - 1, key=self.key)
        return [Arrival(text) for text in texts]

    async def adopt(self, dead: str) -> list[Arrival]:
        """A batch that a dead worker took. Empty: it is alive after all, or had nothing left and is unregistered."""
        keys = (self._processing(dead), self._mine, self._workers)
        texts = await self._eval(_ADOPT, keys, self._worker_id, BATCH, BATCH_BYTES, dead, self._timing.silent_seconds)
        return [Arrival(text) for text in texts]

    async def remove(self, texts: list[bytes]) -> None:
        """The queue has these texts: remove them."""
        await self._eval(_REMOVE, (self._mine,), *texts)

    async def heartbeat(self) -> list[str]:
        """Record a heartbeat. Returns the workers without one for `silent_seconds`."""
        dead = await self._eval(_HEARTBEAT, (self._workers,), self._worker_id, self._timing.silent_seconds)
        return [name.decode() for name in dead if name != self._worker_id.encode()]

    async def leave(self) -> None:
        """The worker stops. Others take over as soon as its last blocked read must have ended."""
        spared = self._timing.silent_seconds - self._timing.block_seconds - 1
        await self._eval(_LEAVE, (self._workers,), self._worker_id, max(0, int(spared)))

    def _processing(self, worker_id: str) -> str:
        return f"{{{self.key}}}:processing:{worker_id}"

    async def _eval(self, script: str, keys: tuple[str, ...], *args: str | bytes | float) -> Any:
        return await self._redis_client.send("EVAL", script, len(keys), *keys, *args, key=self.key)
