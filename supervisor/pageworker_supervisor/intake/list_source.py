"""The producers' list. A text that is taken stays in a processing list of the worker until the queue has it.

All keys share the hash tag of the inbox, so that a cluster keeps them in one slot:
- `{pw:inbox}:processing:<worker>`: taken, not yet queued. A worker that takes over a dead one moves these texts to its
  own list.
- `{pw:inbox}:workers`: every worker that may have a processing list, with its last heartbeat (seconds, Redis' clock).
- `{pw:inbox}:seen`: the texts that the last take left in the inbox, and since when they are known to wait.

A worker is registered in the same step in which it takes texts, and removed in the same step in which its list is found
empty: every processing list is registered. A live worker that is wrongly declared dead loses no job.
"""

from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.processing_list import BATCH, BATCH_BYTES, ProcessingList
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient

LONG_BYTES = 256 * 1024
"""A text above it is read as seldom as can be."""

# KEYS: inbox, processing, workers, seen. ARGV: worker, most texts, most bytes, bytes above which a text is long.
# Returns the texts, and how long each is known to have waited (ms).
#
# `seen` is `<mark of the first text> <mark of the last> <count>:<since> …`, in the order of the list. If the first text
# is still the first, the new texts are behind it (RPUSH); if the last is still the last, they are before it (LPUSH). If
# neither is, the record is worthless, and every text counts from now.
#
# LINDEX copies the text, 5 ms per MB, and Redis tells no length without a copy. A mark begins with the length: a text
# that was long when it was marked is not read again to compare it, except a first one, which is about to be taken.
# While the list is as long as it was, and its other end is the same, so is this one. Where texts were pushed before a
# long last one, the record is worthless.
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
local function is_long(a_mark)
  return a_mark and (tonumber(string.sub(a_mark, 1, -41)) or 0) > tonumber(ARGV[4])
end
local long_first, long_last = is_long(first), is_long(last)
local same_first = first and not long_first and first == mark(0)
local same_last = last and not long_last and last == mark(-1)
if added == 0 then
  same_last = same_last or (long_last and (same_first or long_first))
  same_first = same_first or (long_first and same_last)
elseif added > 0 and long_first and not same_last then
  same_first = first == mark(0)
end
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
  local said = { mark(0), added == 0 and long_last and last or mark(-1) }
  for _, span in ipairs(spans) do
    said[#said + 1] = string.format('%d:%.0f', span[1], span[2])
  end
  redis.call('SET', KEYS[4], table.concat(said, ' '))
  redis.call('EXPIRE', KEYS[4], 86400)
end
return { texts, waits }
"""


class ProducerList:
    """One worker's access to the list. Every call may be repeated. Raises RedisClientError."""

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        self.key = f"{prefix}:inbox"
        self._redis_client = redis_client
        self._worker_id = worker_id
        self._timing = timing
        self._seen = f"{{{self.key}}}:seen"
        self.taken = ProcessingList(redis_client, self.key, f"{{{self.key}}}", worker_id, timing)
        """What this worker took and the queue does not have yet."""

    async def wait(self) -> list[Arrival]:
        """The next text; none if `block_seconds` pass without one."""
        _, text = await self._redis_client.send_together(
            [
                ("ZADD", self.taken.workers, "NX", 0, self._worker_id),
                ("BLMOVE", self.key, self.taken.key, "LEFT", "RIGHT", self._timing.block_seconds),
            ],
            key=self.key,
            blocks=True,
        )
        return [] if text is None else [Arrival(text)]

    async def take(self) -> list[Arrival]:
        """The texts that are there now, at most a batch."""
        keys = (self.key, self.taken.key, self.taken.workers, self._seen)
        texts, waits = await self._redis_client.send(
            "EVAL", _TAKE, len(keys), *keys, self._worker_id, BATCH, BATCH_BYTES, LONG_BYTES, key=self.key
        )
        return [Arrival(text, waited) for text, waited in zip(texts, waits, strict=True)]
