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

GROUP = "pw"
FIELD = b"job"
BATCH = 128
PAGES_PER_CLAIM = 16

# In one step: an entry that is acknowledged but not deleted would stay in the stream forever.
# KEYS: stream. ARGV: group, ids.
_SETTLE = """
for at = 2, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[at])
  redis.call('XDEL', KEYS[1], ARGV[at])
end
return #ARGV - 1
"""

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

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        self.key = f"{prefix}:jobs"
        self._redis_client = redis_client
        self._worker_id = worker_id
        self._timing = timing
        self._cursor = b"0-0"
        self._once_more = once_more({GroupMissing: self._create_group})

    async def wait(self) -> list[StreamEntry]:
        """New entries; none where `block_seconds` pass without one."""
        block = int(self._timing.block_seconds * 1000)
        return await self._read(">", "BLOCK", block, blocks=True)

    async def leftovers(self) -> list[StreamEntry]:
        """A batch that this worker read and did not queue, because a reply was lost or the worker was restarted."""
        return await self._read("0")

    async def adopt(self) -> list[StreamEntry]:
        """A batch that dead consumers left. Continues where the last call ended, so that it reaches every entry."""
        span = int(self._timing.silent_seconds * 1000)
        for _ in range(PAGES_PER_CLAIM):
            words = ("XAUTOCLAIM", self.key, GROUP, self._worker_id, span, self._cursor, "COUNT", BATCH)
            reply = await self._in_group(*words)
            self._cursor = reply[0]
            if reply[1] or self._cursor == b"0-0":
                return await self._entries(reply[1])
        return []

    async def settle(self, ids: list[bytes]) -> None:
        """The queue has these entries: remove them."""
        await self._redis_client.send("EVAL", _SETTLE, 1, self.key, GROUP, *ids, key=self.key)

    async def forget_silent(self) -> None:
        """Remove consumers that have nothing pending and were idle for `forget_seconds`."""
        span = int(self._timing.forget_seconds * 1000)
        await self._redis_client.send("EVAL", _FORGET, 1, self.key, GROUP, span, self._worker_id, key=self.key)

    async def _read(self, since: str, *options: str | int, blocks: bool = False) -> list[StreamEntry]:
        words = ("XREADGROUP", "GROUP", GROUP, self._worker_id, "COUNT", BATCH, *options, "STREAMS", self.key, since)
        reply = await self._in_group(*words, blocks=blocks)
        return await self._entries([row for _, rows in reply or () for row in rows])

    async def _entries(self, rows: list[Any]) -> list[StreamEntry]:
        if not rows:
            return []
        # Redis' clock, which made the ids: the clock of this host may differ by minutes.
        seconds, micros = await self._redis_client.send("TIME", key=self.key)
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        return [_entry(now_ms, *row) for row in rows]

    async def _in_group(self, *words: str | bytes | int, blocks: bool = False) -> Any:
        """A command that needs the group. Where the group is missing it is created first."""
        return await retry(partial(self._redis_client.send, *words, key=self.key, blocks=blocks), self._once_more)

    async def _create_group(self) -> None:
        """From the stream's beginning, so that no entry is missed."""
        try:
            await self._redis_client.send("XGROUP", "CREATE", self.key, GROUP, "0", "MKSTREAM", key=self.key)
        except RedisRefused as refused:
            # Another worker was faster.
            if "BUSYGROUP" not in str(refused):
                raise


def _entry(now_ms: int, entry_id: bytes, fields: dict[bytes, bytes] | None) -> StreamEntry:
    if not fields:
        return StreamEntry(entry_id)
    if FIELD in fields:
        return StreamEntry(entry_id, job=fields[FIELD], waited_ms=waited_ms(entry_id, now_ms))
    return StreamEntry(
        entry_id, other=msgspec.json.encode({_text(name): _text(value) for name, value in fields.items()})
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
