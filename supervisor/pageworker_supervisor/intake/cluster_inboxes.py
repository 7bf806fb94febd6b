"""The inboxes of tenants on a Redis Cluster: each is in a slot of its own, so each has scripts of its own.

A text that is taken stays, until the queue has it, in a processing list in the slot of its inbox:
- `{pw:inbox:<tenant>}:processing:<worker>`: texts of this tenant.
- `{pw:inbox:<tenant>}:workers`: the workers that have such a list, while they have one.
- `{pw:inbox}:tenants:workers`: every worker, with its last heartbeat (seconds, Redis' clock).

A worker is registered in the step in which it takes texts, and removed in the step in which its list is found empty. A
live worker that is wrongly declared dead loses no text.
"""

from collections.abc import Collection, Sequence
from typing import Any

from pageworker_supervisor.intake.processing_list import BATCH, BATCH_BYTES
from pageworker_supervisor.intake.tenant_inboxes import BATCH_PER_TENANT, LOOKS_PER_CALL, TenantInboxes
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.router import Argument

# KEYS: inbox, processing, workers. ARGV: worker, most texts, most bytes. Returns the texts, and whether more are there.
_TAKE = """
local texts, bytes = {}, 0
while #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local text = redis.pcall('LPOP', KEYS[1])
  if type(text) ~= 'string' then
    break
  end
  if #texts == 0 then
    redis.call('SADD', KEYS[3], ARGV[1])
  end
  texts[#texts + 1], bytes = text, bytes + #text
  redis.call('RPUSH', KEYS[2], text)
end
local left = redis.pcall('LLEN', KEYS[1])
return { texts, type(left) == 'number' and left or 0 }
"""

# KEYS: inbox, workers. Returns how many texts wait, and which workers have taken some.
_LOOK = """
local length = redis.pcall('LLEN', KEYS[1])
return { type(length) == 'number' and length or 0, redis.call('SMEMBERS', KEYS[2]) }
"""

# KEYS: stream. Returns how many entries it has.
_LOOK_AT_STREAM = """
local entries = redis.pcall('XLEN', KEYS[1])
return type(entries) == 'number' and entries or 0
"""

# KEYS: from, to, workers. ARGV: dead worker, worker, most texts, most bytes. Returns the texts that were moved.
_ADOPT = """
local texts, bytes = {}, 0
while #texts < tonumber(ARGV[3]) and bytes < tonumber(ARGV[4]) do
  local text = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not text then
    redis.call('SREM', KEYS[3], ARGV[1])
    break
  end
  redis.call('SADD', KEYS[3], ARGV[2])
  texts[#texts + 1], bytes = text, bytes + #text
end
return texts
"""

# KEYS: processing, workers. ARGV: worker, texts.
_REMOVE = """
for at = 2, #ARGV do
  redis.call('LREM', KEYS[1], 1, ARGV[at])
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
end
return 1
"""

# KEYS: workers. ARGV: worker, seconds. Forgets the workers that sent no heartbeat for that time. Returns the others.
_HEARTBEAT = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class ClusterProcessing:
    """What this worker took and the queue does not have yet, over all tenants: texts behind their tenants.

    Every call may be repeated. Raises RedisClientError.
    """

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        self._redis_client = redis_client
        self._inboxes = f"{prefix}:inbox:"
        self._workers = f"{{{prefix}:inbox}}:tenants:workers"
        self._worker_id = worker_id
        self._timing = timing
        self._alive = False
        self._registered: dict[str, set[str]] = {}
        """By worker, the tenants of whose texts it had some at the last look."""

    def key(self, tenant: str, worker_id: str) -> str:
        """The processing list of a worker for this tenant."""
        return f"{{{self._inboxes}{tenant}}}:processing:{worker_id}"

    def workers(self, tenant: str) -> str:
        """The workers that have such a list."""
        return f"{{{self._inboxes}{tenant}}}:workers"

    def note(self, tenant: str, workers: Collection[str]) -> None:
        """A look found that these workers have texts of this tenant."""
        for names in self._registered.values():
            names.discard(tenant)
        for worker in workers:
            self._registered.setdefault(worker, set()).add(tenant)

    def add(self, tenant: str) -> None:
        """This worker is about to take texts of this tenant."""
        self._registered.setdefault(self._worker_id, set()).add(tenant)

    async def be_alive(self) -> None:
        """Before the first text is taken: a worker without a heartbeat is taken for dead."""
        if not self._alive:
            await self.heartbeat()

    async def leftovers(self) -> list[bytes]:
        """A batch that this worker took and did not queue, because a reply was lost or the worker was restarted."""
        for tenant in sorted(self._registered.get(self._worker_id, ())):
            key = self.key(tenant, self._worker_id)
            texts = await self._redis_client.send("LRANGE", key, 0, BATCH - 1, key=key)
            if texts:
                return _behind(tenant, texts)
            await self._remove(tenant, [])
            self._registered[self._worker_id].discard(tenant)
        return []

    async def heartbeat(self) -> list[str]:
        """Record a heartbeat. Returns the workers without one that have texts."""
        words = (self._worker_id, self._timing.silent_seconds)
        alive = await self._redis_client.send("EVAL", _HEARTBEAT, 1, self._workers, *words, key=self._workers)
        self._alive = True
        return sorted(set(self._registered) - {name.decode() for name in alive} - {self._worker_id})

    async def adopt(self, dead: str) -> list[bytes]:
        """A batch that a dead worker took. Empty: nothing is left."""
        for tenant in sorted(self._registered.get(dead, ())):
            keys = (self.key(tenant, dead), self.key(tenant, self._worker_id), self.workers(tenant))
            words = (dead, self._worker_id, BATCH, BATCH_BYTES)
            texts = await self._redis_client.send("EVAL", _ADOPT, 3, *keys, *words, key=keys[0])
            if texts:
                return _behind(tenant, texts)
            self._registered[dead].discard(tenant)
        self._registered.pop(dead, None)
        return []

    async def remove(self, texts: Sequence[bytes]) -> None:
        """The queue has these texts: remove them."""
        bodies: dict[str, list[bytes]] = {}
        for text in texts:
            name, _, body = text.partition(b" ")
            bodies.setdefault(name.decode(), []).append(body)
        for tenant, each in bodies.items():
            await self._remove(tenant, each)

    async def leave(self) -> None:
        """The worker stops. Others take over what it has left at once."""
        await self._redis_client.send("ZREM", self._workers, self._worker_id, key=self._workers)
        self._alive = False

    async def _remove(self, tenant: str, bodies: Sequence[bytes]) -> None:
        keys = (self.key(tenant, self._worker_id), self.workers(tenant))
        await self._redis_client.send("EVAL", _REMOVE, 2, *keys, self._worker_id, *bodies, key=keys[0])


class ClusterInboxes(TenantInboxes):
    """One worker's access to inboxes that are in many slots. Every call may be repeated. Raises RedisClientError."""

    def __init__(self, redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> None:
        super().__init__(redis_client, prefix, worker_id, timing)
        self._slots = ClusterProcessing(redis_client, prefix, worker_id, timing)
        self.taken = self._slots

    async def look(self, tenants: Sequence[str]) -> tuple[set[str], set[str]]:
        """Those of the tenants whose list, and those whose stream, is not empty."""
        lists: set[str] = set()
        streams: set[str] = set()
        for at in range(0, len(tenants), LOOKS_PER_CALL):
            some = tenants[at : at + LOOKS_PER_CALL]
            commands = [self._look_at(name) for name in some]
            commands += [("EVAL", _LOOK_AT_STREAM, 1, self._streams + name) for name in some]
            replies = await self._redis_client.send_each([(str(words[3]), words) for words in commands])
            for name, (length, workers) in zip(some, replies, strict=False):
                self._slots.note(name, [worker.decode() for worker in workers])
                if length:
                    lists.add(name)
            streams.update(name for name, length in zip(some, replies[len(some) :], strict=True) if length)
        return lists, streams

    async def take(self, tenants: Sequence[str]) -> tuple[list[bytes], set[str]]:
        """A batch from the lists of these tenants, and those whose lists are not empty yet."""
        await self._slots.be_alive()
        texts: list[bytes] = []
        rest: set[str] = set()
        size = 0
        for at, name in enumerate(tenants):
            if len(texts) >= BATCH or size >= BATCH_BYTES:
                rest.update(tenants[at:])
                break
            taken, left = await self._take(name, min(BATCH_PER_TENANT, BATCH - len(texts)), BATCH_BYTES - size)
            size += sum(map(len, taken))
            texts += _behind(name, taken)
            if left:
                rest.add(name)
        return texts, rest

    async def _take(self, name: str, most: int, most_bytes: int) -> Any:
        # Before the call: its reply may be lost.
        self._slots.add(name)
        keys = (self._lists + name, self._slots.key(name, self._worker_id), self._slots.workers(name))
        words = (self._worker_id, most, most_bytes)
        return await self._redis_client.send("EVAL", _TAKE, 3, *keys, *words, key=keys[0])

    def _look_at(self, name: str) -> tuple[Argument, ...]:
        return ("EVAL", _LOOK, 2, self._lists + name, self._slots.workers(name))


def inboxes_of(redis_client: RedisClient, prefix: str, worker_id: str, timing: IntakeTimeouts) -> TenantInboxes:
    """The access that fits the topology."""
    kind = ClusterInboxes if redis_client.is_cluster else TenantInboxes
    return kind(redis_client, prefix, worker_id, timing)


def _behind(tenant: str, texts: Sequence[bytes]) -> list[bytes]:
    return [tenant.encode() + b" " + text for text in texts]
