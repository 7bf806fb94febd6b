"""Looks at what runs, again and again, from outside: never more than the limits allow."""

import asyncio
from collections import Counter
from concurrent.futures import Executor

from redis import exceptions as rx

from chaos.deployments import Ground
from chaos.producer import ChaosProducer
from chaos.work import DOMAINS, TENANTS

SECONDS = 0.05

# Counted from the leases themselves, not from the scheduler's own counters. KEYS: the shard's root.
_RUNNING = """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. ':leases', 0, -1)) do
  local f = redis.call('HMGET', KEYS[1] .. ':job:' .. id, 't', 'd', 'pm')
  if f[3] == '1' then
    found[#found + 1] = f[1]
    found[#found + 1] = f[2]
  end
end
return found
"""


class Sampler:
    """`over` are the moments at which a limit was exceeded; `most` the most that ever ran."""

    def __init__(self, ground: Ground, producer: ChaosProducer, threads: Executor) -> None:
        self.samples = 0
        self.most = 0
        self.over: list[str] = []
        self._ground = ground
        self._producer = producer
        self._threads = threads
        self._stopped = False

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True

    async def run(self) -> None:
        """Until `stop`. Not until cancelled: on Python 3.11 redis-py swallows a cancellation now and then."""
        while not self._stopped:
            for shard in range(self._ground.shards):
                try:
                    await self._look(shard)
                except (rx.RedisError, OSError, LookupError):
                    continue  # not now: it is being killed, moved or stopped
            await asyncio.sleep(SECONDS)

    async def _look(self, shard: int) -> None:
        root = f"pw:{{{shard}}}"
        node = await asyncio.get_running_loop().run_in_executor(self._threads, self._ground.primary_of, root)
        words = [word.decode() for word in await self._producer.client(node.port).eval(_RUNNING, 1, root)]
        self.samples += 1
        self.most = max(self.most, len(words) // 2)
        for tenant, running in Counter(words[::2]).items():
            self._check(tenant, running, int(TENANTS[tenant]["concurrency"]))
        for domain, running in Counter(words[1::2]).items():
            if domain in DOMAINS:
                self._check(domain, running, max(1, int(DOMAINS[domain]["concurrency"]) // self._ground.shards))

    def _check(self, who: str, running: int, limit: int) -> None:
        if running > limit:
            self.over.append(f"{who}: {running} of {limit}")
