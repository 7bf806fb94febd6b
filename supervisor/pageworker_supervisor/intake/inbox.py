"""The producers' list. What is taken waits in a list of the worker's own until the queue has it.

Keys share the hash tag of the inbox itself, so that a cluster keeps them together:
- `{pw:inbox}:processing:<worker>`: taken, not yet queued. Whoever takes over a dead worker moves it to his own.
- `{pw:inbox}:alive:<worker>`: expires when a worker was not heard of for long.
- `{pw:inbox}:workers`: everyone who may have a processing list.

A worker is entered among the workers in the same step in which it takes something, and removed in one step with the
look that finds its list empty: no list is ever without a name.
"""

from typing import Any

from pageworker_supervisor.intake.timing import Timing
from pageworker_supervisor.redis_link import Link

BATCH = 256
BATCH_BYTES = 1024 * 1024

# KEYS: from, to, workers, [alive]. ARGV: me, texts at most, bytes at most, [whose].
_MOVE = """
if KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1 then
  return {}
end
redis.call('SADD', KEYS[3], ARGV[1])
local texts, bytes = {}, 0
while #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local text = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not text then
    if KEYS[4] then
      redis.call('SREM', KEYS[3], ARGV[4])
    end
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

# KEYS: alive, workers. ARGV: me, milliseconds, beginning of alive keys. Replies with the workers that are not alive.
_BEAT = """
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
local dead = {}
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[3] .. worker) == 0 then
    dead[#dead + 1] = worker
  end
end
return dead
"""

# KEYS: alive, processing, workers. ARGV: me.
_LEAVE = """
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SREM', KEYS[3], ARGV[1])
end
return 1
"""


class Inbox:
    """One worker's hand in the list. Every call may be repeated; they raise EngineError."""

    def __init__(self, link: Link, prefix: str, worker_id: str, timing: Timing) -> None:
        self.key = f"{prefix}:inbox"
        self._link = link
        self._worker_id = worker_id
        self._timing = timing
        self._workers = f"{{{self.key}}}:workers"
        self._mine = self._processing(worker_id)

    async def wait(self) -> list[bytes]:
        """The next text, or nothing within the time of a block."""
        _, text = await self._link.pipe(
            [
                ("SADD", self._workers, self._worker_id),
                ("BLMOVE", self.key, self._mine, "LEFT", "RIGHT", self._timing.block_seconds),
            ],
            key=self.key,
            blocks=True,
        )
        return [] if text is None else [text]

    async def take(self) -> list[bytes]:
        """What is there, at most a batch."""
        return await self._eval(_MOVE, (self.key, self._mine, self._workers), self._worker_id, BATCH, BATCH_BYTES)

    async def leftovers(self) -> list[bytes]:
        """What this worker took, and a reply or a life was lost before it could be queued."""
        texts: list[bytes] = await self._link.send("LRANGE", self._mine, 0, BATCH - 1, key=self.key)
        return texts

    async def adopt(self, dead: str) -> list[bytes]:
        """A batch of what a dead worker took; nothing if it lives after all. Empty: it is forgotten."""
        keys = (self._processing(dead), self._mine, self._workers, self._alive(dead))
        return await self._eval(_MOVE, keys, self._worker_id, BATCH, BATCH_BYTES, dead)

    async def remove(self, texts: list[bytes]) -> None:
        """They are in the queue."""
        await self._eval(_REMOVE, (self._mine,), *texts)

    async def beat(self) -> list[str]:
        """Be heard. Returns workers that were not, for long."""
        keys = (self._alive(self._worker_id), self._workers)
        span = int(self._timing.silent_seconds * 1000)
        return [name.decode() for name in await self._eval(_BEAT, keys, self._worker_id, span, self._alive(""))]

    async def leave(self) -> None:
        """Go in good order: others need not wait to take over what is left."""
        await self._eval(_LEAVE, (self._alive(self._worker_id), self._mine, self._workers), self._worker_id)

    def _processing(self, worker_id: str) -> str:
        return f"{{{self.key}}}:processing:{worker_id}"

    def _alive(self, worker_id: str) -> str:
        return f"{{{self.key}}}:alive:{worker_id}"

    async def _eval(self, script: str, keys: tuple[str, ...], *args: str | bytes | int) -> list[Any]:
        reply: list[Any] = await self._link.send("EVAL", script, len(keys), *keys, *args, key=self.key)
        return reply
