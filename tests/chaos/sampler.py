"""Samples the running jobs from outside: no tenant, domain or module and not the fleet ever exceeds its limit."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor

from redis import exceptions as rx

from chaos.deployments import Deployment
from chaos.producer import ChaosProducer
from chaos.work import DOMAINS, FLEET, MODULES, TENANTS

SECONDS = 0.05

# Counts the leases themselves, not the scheduler's counters. KEYS: the shard's root.
_RUNNING = """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. ':leases', 0, -1)) do
  local f = redis.call('HMGET', KEYS[1] .. ':job:' .. id, 'tenant', 'domain', 'module', 'state')
  if f[4] == 'running' then
    found[#found + 1] = f[1]
    found[#found + 1] = f[2]
    found[#found + 1] = f[3]
  end
end
return found
"""


class Sampler:
    """`over`: one line per sample that exceeded a limit. `most`: the largest number of running jobs."""

    def __init__(self, deployment: Deployment, producer: ChaosProducer, threads: Executor) -> None:
        self.samples = 0
        self.most = 0
        self.over: list[str] = []
        self._deployment = deployment
        self._producer = producer
        self._threads = threads
        self._stopped = False

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True

    async def run(self) -> None:
        """Sample until `stop`. Cancelling does not do: on Python 3.11 redis-py sometimes swallows a cancellation."""
        while not self._stopped:
            for shard in range(self._deployment.shards):
                try:
                    await self._look(shard)
                except (rx.RedisError, OSError, LookupError):
                    continue  # the server is being killed, moved or stopped
            await asyncio.sleep(SECONDS)

    async def _look(self, shard: int) -> None:
        root = f"pw:{{{shard}}}"
        node = await asyncio.get_running_loop().run_in_executor(self._threads, self._deployment.primary_of, root)
        words = [word.decode() for word in await self._producer.client(node.port).eval(_RUNNING, 1, root)]
        self.samples += 1
        self.most = max(self.most, len(words) // 3)
        self._check("the fleet", len(words) // 3, self._part(FLEET))
        for module, running in Counter(words[2::3]).items():
            self._check(module, running, self._part(MODULES[module]))
        for tenant, running in Counter(words[::3]).items():
            self._check(tenant, running, int(TENANTS[tenant]["concurrency"]))
        for domain, running in Counter(words[1::3]).items():
            if domain in DOMAINS:
                self._check(domain, running, self._part(DOMAINS[domain]))

    def _part(self, limits: Mapping[str, int]) -> int:
        """What one shard has of limits that all shards share."""
        return max(1, limits["concurrency"] // self._deployment.shards)

    def _check(self, who: str, running: int, limit: int) -> None:
        if running > limit:
            self.over.append(f"{who}: {running} of {limit}")
