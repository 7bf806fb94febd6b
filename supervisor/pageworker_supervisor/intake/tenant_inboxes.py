"""The inboxes of tenants: list `pw:inbox:<tenant>` and stream `pw:jobs:<tenant>`. One command serves many of them.

A text that is taken from any of the lists stays in one processing list of the worker until the queue has it, behind the
name of the tenant from whose list it came:
- `{pw:inbox}:tenants:processing:<worker>` and `{pw:inbox}:tenants:workers`: see processing_list.py.

The keys of one script are in several slots: on a Redis Cluster, see cluster_inboxes.py.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.processing_list import BATCH, BATCH_BYTES, ProcessingList
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.cluster_key_watch import ClusterKeyWatch
from pageworker_supervisor.redis_client.key_watch import KeyWatch

BATCH_PER_TENANT = 64
"""A tenant with many texts leaves place for others in each batch."""
LOOKS_PER_CALL = 500
"""Tenants per script: it takes about a millisecond, in which Redis serves no other client."""

# KEYS: processing, workers, inboxes. ARGV: worker, most texts, most of one tenant, most bytes, tenants of the inboxes.
# Returns the texts, each behind its tenant, and the positions of the inboxes that are not empty yet.
_TAKE = """
redis.call('ZADD', KEYS[2], 'NX', 0, ARGV[1])
local texts, rest, bytes = {}, {}, 0
for at = 3, #KEYS do
  local taken = 0
  while taken < tonumber(ARGV[3]) and #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[4]) do
    local text = redis.pcall('LPOP', KEYS[at])
    if type(text) ~= 'string' then
      break
    end
    taken, bytes = taken + 1, bytes + #text
    texts[#texts + 1] = ARGV[at + 2] .. ' ' .. text
    redis.call('RPUSH', KEYS[1], texts[#texts])
  end
  local left = redis.pcall('LLEN', KEYS[at])
  if type(left) == 'number' and left > 0 then
    rest[#rest + 1] = at - 3
  end
end
return { texts, rest }
"""

# KEYS: lists and streams in turn, one of each per tenant. Returns the positions of the lists, then of the streams, that
# are not empty.
_LOOK = """
local lists, streams = {}, {}
for at = 1, #KEYS, 2 do
  local length, entries = redis.pcall('LLEN', KEYS[at]), redis.pcall('XLEN', KEYS[at + 1])
  if type(length) == 'number' and length > 0 then
    lists[#lists + 1] = (at - 1) / 2
  end
  if type(entries) == 'number' and entries > 0 then
    streams[#streams + 1] = (at - 1) / 2
  end
end
return { lists, streams }
"""


class TakenTexts(Protocol):
    """What this worker took and the queue does not have yet: texts behind their tenants."""

    async def leftovers(self) -> list[bytes]:
        """A batch that this worker took and did not queue."""

    async def heartbeat(self) -> list[str]:
        """Record a heartbeat. Returns the workers that are dead."""

    async def adopt(self, dead: str) -> list[bytes]:
        """A batch that a dead worker took. Empty: nothing is left."""

    async def remove(self, texts: list[bytes]) -> None:
        """The queue has these texts."""

    async def leave(self) -> None:
        """The worker stops."""


class TenantInboxes:
    """One worker's access to them. Every call may be repeated. Raises RedisClientError."""

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        self._redis_client = redis_client
        self._worker_id = worker_id
        self._routed = f"{prefix}:inbox"
        self._lists = f"{prefix}:inbox:"
        self._streams = f"{prefix}:jobs:"
        self._processing = ProcessingList(redis_client, self._routed, f"{{{self._routed}}}:tenants", worker_id, timing)
        self.taken: TakenTexts = self._processing

    def watch(self) -> KeyWatch | ClusterKeyWatch:
        """Tells which of the keys are written."""
        return self._redis_client.key_watch(self._lists, self._streams)

    def tenants_of(self, keys: Collection[bytes]) -> tuple[set[str], set[str]]:
        """The tenants whose lists, and whose streams, are among these keys."""
        found: tuple[set[str], set[str]] = (set(), set())
        for key in keys:
            text = key.decode(errors="replace")
            for names, start in zip(found, (self._lists, self._streams), strict=True):
                if text.startswith(start):
                    names.add(text.removeprefix(start))
        return found

    async def look(self, tenants: Sequence[str]) -> tuple[set[str], set[str]]:
        """Those of the tenants whose list, and those whose stream, is not empty."""
        lists: set[str] = set()
        streams: set[str] = set()
        for at in range(0, len(tenants), LOOKS_PER_CALL):
            some = tenants[at : at + LOOKS_PER_CALL]
            keys = [key for name in some for key in (self._lists + name, self._streams + name)]
            reply = await self._redis_client.send("EVAL", _LOOK, len(keys), *keys, key=self._routed)
            lists.update(some[position] for position in reply[0])
            streams.update(some[position] for position in reply[1])
        return lists, streams

    async def take(self, tenants: Sequence[str]) -> tuple[list[bytes], set[str]]:
        """A batch from the lists of these tenants, and those whose lists are not empty yet."""
        some = tenants[:LOOKS_PER_CALL]
        keys = (self._processing.key, self._processing.workers, *(self._lists + name for name in some))
        words: tuple[Any, ...] = (self._worker_id, BATCH, BATCH_PER_TENANT, BATCH_BYTES, *some)
        texts, rest = await self._redis_client.send("EVAL", _TAKE, len(keys), *keys, *words, key=self._routed)
        return texts, {some[position] for position in rest} | set(tenants[LOOKS_PER_CALL:])


def arrivals(taken: Sequence[bytes]) -> Iterator[Arrival]:
    """The texts of a processing list, each with the tenant from whose inbox it came."""
    for text in taken:
        tenant, _, body = text.partition(b" ")
        yield Arrival(body, origin=tenant.decode())
