"""Calls of the Redis Functions by shard. `queue/messagepack.py` describes requests and replies."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.library import SCHEMA_VERSION
from pageworker_supervisor.queue.messagepack import packed
from pageworker_supervisor.redis_client.errors import RedisRefused
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.sharding import root, shard_of

T = TypeVar("T")

_SCHEMA = re.compile(r"\bSCHEMA (\w+)")
"""See Shard.check_schema in queue/lua/shard.lua."""


class Shards:
    """The shards of one prefix."""

    def __init__(self, functions: FunctionCalls, prefix: str, count: int) -> None:
        self.functions = functions
        self.prefix = prefix
        self.roots = [root(prefix, shard) for shard in range(count)]

    def __len__(self) -> int:
        return len(self.roots)

    def of(self, tenant_id: str) -> int:
        """The shard of a tenant's jobs."""
        return shard_of(tenant_id, len(self.roots))

    async def call(self, shard: int, function: str, **request: Any) -> Any:
        """One function on one shard. Raises RedisClientError, SchemaMismatch."""
        return await self._call(self.functions.call, shard, function, request)

    async def settled_call(self, shard: int, function: str, **request: Any) -> Any:
        """As `call`, but returns only when as many replicas as wanted have the write. Raises NotReplicated, too."""
        return await self._call(self.functions.settled_call, shard, function, request)

    async def _call(
        self, call: Callable[..., Awaitable[Any]], shard: int, function: str, request: dict[str, Any]
    ) -> Any:
        try:
            return await call(function, self.roots[shard], packed(**request))
        except RedisRefused as error:
            if found := _SCHEMA.search(str(error)):
                raise SchemaMismatch(self.roots[shard], found[1], SCHEMA_VERSION) from error
            raise

    async def check_schema(self) -> None:
        """Raises SchemaMismatch where the state of a shard has another schema version."""
        for shard in range(len(self)):
            await self.call(shard, "check_schema")

    async def by_tenant(self, tenants: Sequence[str], act: Callable[[int, Sequence[int]], Awaitable[None]]) -> None:
        """Call `act` once per shard, with the shard and the indices of the tenants that are on it; all shards at
        once."""
        if len(self) == 1:
            if tenants:
                await act(0, range(len(tenants)))
            return
        indices: dict[int, list[int]] = {}
        for index, tenant_id in enumerate(tenants):
            indices.setdefault(self.of(tenant_id), []).append(index)

        async def on(shard: int, found: Sequence[int]) -> None:
            await act(shard, found)

        await fan_out(on(shard, found) for shard, found in indices.items())


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most so many items."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
