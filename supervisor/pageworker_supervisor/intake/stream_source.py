"""The producers' stream. An entry that is read stays pending under this worker's name until the queue has it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from pageworker_supervisor.intake.arrival import waited_ms
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.availability import once_more, retry
from pageworker_supervisor.redis_client.errors import GroupMissing, RedisRefused
from pageworker_supervisor.telemetry import log

GROUP = "pw"
FIELD = b"job"
BATCH = 128
PAGES_PER_CLAIM = 16

BATCH_BYTES = 1024 * 1024
OTHER_BYTES = 64 * 1024
"""Of the fields beside `job` in one entry. The rest is not read."""
AHEAD_MS = 60_000
"""An id that is further than this ahead of Redis' clock was chosen by a producer."""

# KEYS: stream. ARGV: group, worker, `>` for new entries or `0` for pending ones, most entries, most bytes, most bytes
# of other fields per entry. One entry at a time, because Redis limits only their number.
_READ = """
local entries, bytes, since = {}, 0, ARGV[3]
while #entries < tonumber(ARGV[4]) and bytes < tonumber(ARGV[5]) do
  local reply = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], since)
  local entry = reply and reply[1][2][1]
  if not entry then
    break
  end
  since = since == '>' and since or entry[1]
  local fields, others = {}, 0
  for at = 1, entry[2] and #entry[2] or 0, 2 do
    local name, value = entry[2][at], entry[2][at + 1]
    others = others + (name == 'job' and 0 or #name + #value)
    if name == 'job' or others <= tonumber(ARGV[6]) then
      fields[#fields + 1], fields[#fields + 2] = name, value
      bytes = bytes + #value
    end
  end
  if #fields == 0 and entry[2] then
    fields = { 'fields too large', tostring(others) }
  end
  entries[#entries + 1] = { entry[1], entry[2] and fields }
end
return entries
"""

# KEYS: stream. ARGV: group, worker, milliseconds, cursor, most entries. Returns the next cursor, and the ids of entries
# that are pending under this worker's name now. Their content is read by _READ, which limits its bytes.
_CLAIM = """
return redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
"""

# A producer may choose the id of an entry. After the largest id, no entry can be added; after one of the future, ids
# tell no time. Once the stream is empty, it begins anew. Entries that are pending then have no content any more.
_RESET = """
local function reset(stream, group, ahead_ms)
  local info, facts = redis.pcall('XINFO', 'STREAM', stream), {}
  if info.err then
    return string.find(info.err, 'no such key', 1, true) and 0 or info
  end
  for at = 1, #info, 2 do
    facts[info[at]] = info[at + 1]
  end
  local last_ms = tonumber(string.match(facts['last-generated-id'], '^%d+'))
  if facts['length'] > 0 or last_ms <= redis.call('TIME')[1] * 1000 + ahead_ms then
    return 0
  end
  redis.call('DEL', stream)
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  return 1
end
"""

# KEYS: stream. ARGV: group, milliseconds ahead. Returns whether the stream began anew.
_MEND = _RESET + "return reset(KEYS[1], ARGV[1], tonumber(ARGV[2]))"

# In one step: an entry that is acknowledged but not deleted would stay in the stream forever.
# KEYS: stream. ARGV: group, milliseconds ahead, ids in their order. Returns whether the stream began anew.
_SETTLE = (
    _RESET
    + """
for at = 3, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[at])
  redis.call('XDEL', KEYS[1], ARGV[at])
end
local last_ms = tonumber(string.match(ARGV[#ARGV], '^%d+'))
if last_ms <= redis.call('TIME')[1] * 1000 + tonumber(ARGV[2]) then
  return 0
end
return reset(KEYS[1], ARGV[1], tonumber(ARGV[2]))
"""
)

# In one step with the check that it has nothing pending: XGROUP DELCONSUMER also deletes pending entries.
# KEYS: stream. ARGV: group, milliseconds, worker.
_FORGET = """
local gone, consumers = 0, redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  return 0
end
for _, consumer in ipairs(consumers) do
  local name, pending, idle = consumer[2], consumer[4], consumer[6]
  if pending == 0 and idle > tonumber(ARGV[2]) and name ~= ARGV[3] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    gone = gone + 1
  end
end
return gone
"""


@dataclass(frozen=True)
class StreamEntry:
    """One entry. `job`: the pushed text. `other`: the fields of an entry without a field `job`, as JSON. Neither: the
    entry was deleted.

    `waited_ms`: milliseconds since it was added.
    """

    id: bytes
    job: bytes | None = None
    other: bytes | None = None
    waited_ms: int = 0


class ProducerStream:
    """One worker's consumer in the group. Every call may be repeated. Raises RedisClientError."""

    def __init__(
        self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts, tenant: str | None = None
    ) -> None:
        """`tenant`: the stream of this tenant, instead of the common one."""
        self.key = f"{prefix}:jobs" if tenant is None else f"{prefix}:jobs:{tenant}"
        self._redis_client = redis_client
        self._worker_id = worker_id
        self._timing = timing
        self._cursor = b"0-0"
        self._once_more = once_more({GroupMissing: self._create_group})

    async def wait(self) -> list[StreamEntry]:
        """The next entry; none if `block_seconds` pass without one. A blocked read has no limit of bytes."""
        block = int(self._timing.block_seconds * 1000)
        words = ("XREADGROUP", "GROUP", GROUP, self._worker_id, "COUNT", 1, "BLOCK", block, "STREAMS", self.key, ">")
        reply = await self._in_group(*words, blocks=True)
        return await self._entries([row for _, rows in reply or () for row in rows])

    async def take(self) -> list[StreamEntry]:
        """The new entries that are there now, at most a batch."""
        return await self._read(">")

    async def leftovers(self) -> list[StreamEntry]:
        """A batch that this worker read and did not queue, because a reply was lost or the worker was restarted."""
        return await self._read("0")

    async def adopt(self) -> list[StreamEntry]:
        """A batch that dead consumers left. Continues where the last call ended, so that it reaches every entry."""
        span = int(self._timing.silent_seconds * 1000)
        for _ in range(PAGES_PER_CLAIM):
            reply = await self._in_group("EVAL", _CLAIM, 1, self.key, GROUP, self._worker_id, span, self._cursor, BATCH)
            self._cursor = reply[0]
            if reply[1]:
                return await self.leftovers()
            if self._cursor == b"0-0":
                break
        return []

    async def settle(self, ids: list[bytes]) -> None:
        """The queue has these entries: remove them. Ids in their order."""
        reply = await self._redis_client.send("EVAL", _SETTLE, 1, self.key, GROUP, AHEAD_MS, *ids, key=self.key)
        self._note(reply)

    async def mend(self) -> None:
        """Let producers add entries again after one with an id of the future, once the stream is empty."""
        self._note(await self._redis_client.send("EVAL", _MEND, 1, self.key, GROUP, AHEAD_MS, key=self.key))

    def _note(self, begun_anew: int) -> None:
        if begun_anew:
            log.warning("the stream of jobs began anew: a producer had chosen an id of the future", stream=self.key)

    async def forget_silent(self) -> None:
        """Remove consumers that have nothing pending and were idle for `forget_seconds`."""
        span = int(self._timing.forget_seconds * 1000)
        await self._redis_client.send("EVAL", _FORGET, 1, self.key, GROUP, span, self._worker_id, key=self.key)

    async def _read(self, since: str) -> list[StreamEntry]:
        words = ("EVAL", _READ, 1, self.key, GROUP, self._worker_id, since, BATCH, BATCH_BYTES, OTHER_BYTES)
        return await self._entries(await self._in_group(*words))

    async def _entries(self, rows: list[Any]) -> list[StreamEntry]:
        if not rows:
            return []
        # Redis' clock, which made the ids: the clock of this host may differ by minutes.
        seconds, micros = await self._redis_client.send("TIME", key=self.key)
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        return [_entry(now_ms, *row) for row in rows]

    async def _in_group(self, *words: str | bytes | int, blocks: bool = False) -> Any:
        """A command that needs the group. If the group is missing it is created first."""
        return await retry(partial(self._redis_client.send, *words, key=self.key, blocks=blocks), self._once_more)

    async def _create_group(self) -> None:
        """From the stream's beginning, so that no entry is missed."""
        try:
            await self._redis_client.send("XGROUP", "CREATE", self.key, GROUP, "0", "MKSTREAM", key=self.key)
        except RedisRefused as refused:
            # Another worker was faster.
            if "BUSYGROUP" not in str(refused):
                raise


def _entry(now_ms: int, entry_id: bytes, found: dict[bytes, bytes] | list[bytes] | None) -> StreamEntry:
    """`found`: the fields as XREADGROUP, or as a script returns them."""
    fields = dict(zip(found[::2], found[1::2], strict=True)) if isinstance(found, list) else found
    if not fields:
        return StreamEntry(entry_id)
    if FIELD in fields:
        return StreamEntry(entry_id, job=fields[FIELD], waited_ms=waited_ms(entry_id, now_ms))
    return StreamEntry(
        entry_id, other=msgspec.json.encode({_text(name): _text(value) for name, value in fields.items()})
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
