"""The producers' list. What is taken waits in a list of the worker's own until the queue has it.

Keys share the hash tag of the inbox itself, so that a cluster keeps them together:
- `{pw:inbox}:processing:<worker>`: taken, not yet queued. Whoever takes over a dead worker moves it to his own.
- `{pw:inbox}:workers`: everyone who may have a processing list, by when he was heard of (seconds, Redis' clock).

A worker is entered among the workers in the same step in which it takes something, and removed in one step with the
look that finds its list empty: no list is ever without a name. Being taken for dead costs a living worker nothing.
"""

from typing import Any

from pageworker_supervisor.intake.timing import Timing
from pageworker_supervisor.redis_link import Link

BATCH = 256
BATCH_BYTES = 1024 * 1024

# KEYS: from, to, workers. ARGV: me, texts at most, bytes at most, [whose, heard of later than this many seconds ago].
_MOVE = """
local whose = ARGV[4]
if whose then
  local heard = tonumber(redis.call('ZSCORE', KEYS[3], whose) or 0)
  if heard > redis.call('TIME')[1] - ARGV[5] then
    return {}
  end
end
redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[1])
local texts, bytes = {}, 0
while #texts < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local text = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not text then
    if whose then
      redis.call('ZREM', KEYS[3], whose)
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

# KEYS: workers. ARGV: me, seconds. Replies with the workers that were not heard of for so long.
_BEAT = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2], 'LIMIT', 0, 100)
"""

# KEYS: workers. ARGV: me, seconds.
_LEAVE = """
return redis.call('ZADD', KEYS[1], 'XX', redis.call('TIME')[1] - ARGV[2], ARGV[1])
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
                ("ZADD", self._workers, "NX", 0, self._worker_id),
                ("BLMOVE", self.key, self._mine, "LEFT", "RIGHT", self._timing.block_seconds),
            ],
            key=self.key,
            blocks=True,
        )
        return [] if text is None else [text]

    async def take(self) -> list[bytes]:
        """What is there, at most a batch."""
        return await self._move((self.key, self._mine, self._workers))

    async def leftovers(self) -> list[bytes]:
        """What this worker took, and a reply or a life was lost before it could be queued."""
        texts: list[bytes] = await self._link.send("LRANGE", self._mine, 0, BATCH - 1, key=self.key)
        return texts

    async def adopt(self, dead: str) -> list[bytes]:
        """A batch of what a dead worker took; nothing if it lives after all. Empty: it is forgotten."""
        keys = (self._processing(dead), self._mine, self._workers)
        return await self._move(keys, dead, self._timing.silent_seconds)

    async def remove(self, texts: list[bytes]) -> None:
        """They are in the queue."""
        await self._eval(_REMOVE, (self._mine,), *texts)

    async def beat(self) -> list[str]:
        """Be heard. Returns workers that were not, for long."""
        silent = await self._eval(_BEAT, (self._workers,), self._worker_id, self._timing.silent_seconds)
        return [name.decode() for name in silent if name != self._worker_id.encode()]

    async def leave(self) -> None:
        """Go in good order: others need wait only until no blocked read of ours can take anything any more."""
        spared = self._timing.silent_seconds - self._timing.block_seconds - 1
        await self._eval(_LEAVE, (self._workers,), self._worker_id, max(0, int(spared)))

    def _processing(self, worker_id: str) -> str:
        return f"{{{self.key}}}:processing:{worker_id}"

    async def _move(self, keys: tuple[str, ...], *whose: str | float) -> list[bytes]:
        texts: list[bytes] = await self._eval(_MOVE, keys, self._worker_id, BATCH, BATCH_BYTES, *whose)
        return texts

    async def _eval(self, script: str, keys: tuple[str, ...], *args: str | bytes | float) -> Any:
        return await self._link.send("EVAL", script, len(keys), *keys, *args, key=self.key)
