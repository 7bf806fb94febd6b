"""Calls of the queue's Redis Functions, by shard, with requests and replies as MessagePack.

Every function may be called twice with the same arguments: it carries an id, a token or a nonce. So each call is
repeated once if its reply was lost, or if the primary did not have the functions yet
(redis_client/availability.py).

A request is one map with names. A reply is a number, a word or a list of words; or a list whose first element is a map
in MessagePack, and whose others are opaque texts. The head of each file of `queue/lua` gives the names.
"""

import re
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from msgspec import Raw, msgpack

from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.library import SCHEMA_VERSION, Library, library
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client.availability import no_repair, once_more, retry
from pageworker_supervisor.redis_client.errors import (
    ConnectionLost,
    FunctionMissing,
    OutOfMemory,
    RedisClientError,
    RedisRefused,
    RightMissing,
)
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.router import Argument, ReplicatedWrites, Router, root, shard_of

T = TypeVar("T")

_SCHEMA = re.compile(r"\bSCHEMA (\w+)")
"""See Shard.check_schema in queue/lua/shard.lua."""
EMPTY_REQUEST = msgpack.encode({})


def packed(**request: Any) -> bytes:
    """A request as the functions read it. Bytes go through `opaque` first."""
    return msgpack.encode(request)


def opaque(text: bytes) -> Raw:
    """Bytes in a request. The `cmsgpack` of Redis 7.0 reads no binary type, so they are sent as a string of any bytes.

    https://github.com/msgpack/msgpack/blob/master/spec.md (str 32)
    """
    return Raw(b"\xdb" + struct.pack(">I", len(text)) + text)


def unpacked(reply: Sequence[bytes]) -> Any:
    """The map at the head of a reply."""
    return msgpack.decode(reply[0])


class FunctionCalls:
    """The functions of one library, called through one router. Every call raises RedisClientError."""

    def __init__(self, router: Router, prefix: str, options: QueueOptions) -> None:
        self._router = router
        self._prefix = prefix
        self.cluster = router.is_cluster
        self.library: Library = library(
            prefix,
            cluster=self.cluster,
            test_clock=options.test_clock,
            lease_ms=options.lease_ms,
            outbox_lease_ms=options.outbox_lease_ms,
        )
        self._replicated = ReplicatedWrites(
            router, options.replicas, options.replica_wait_seconds, options.replica_patience_seconds
        )
        self._once_more = once_more({ConnectionLost: no_repair, FunctionMissing: self.load})

    async def load(self) -> None:
        """Put the library on every primary. Replaces only its own version.

        A primary without memory loads nothing, and some users may load none. If the library is there already, that is
        no failure.
        """
        try:
            await self._router.send_to_primaries("FUNCTION LOAD", "REPLACE", self.library.code)
        except (OutOfMemory, RightMissing):
            if not await self._is_loaded():
                raise

    async def _is_loaded(self) -> bool:
        base = root(self._prefix, 0)
        try:
            await self._router.send("FCALL", self.library.function("check_schema"), 1, base, EMPTY_REQUEST, key=base)
        except RedisClientError:
            return False
        return True

    async def call(self, name: str, root: str, *args: Argument) -> Any:
        """The reply of one function, on the shard of `root`."""
        return await self.command("FCALL", self.library.function(name), 1, root, *args, key=root)

    async def command(self, *args: Argument, key: str) -> Any:
        """The reply of one plain command on the slot of `key`. It may run twice."""
        return await retry(partial(self._router.send, *args, key=key), self._once_more)

    async def block(self, *args: Argument, key: str) -> Any:
        """The reply of one command that blocks. It is sent once."""
        return await self._router.send(*args, key=key, blocks=True)

    async def settled_call(self, name: str, root: str, *args: Argument) -> Any:
        """As `call`, but returns only when replicas have the write. Raises NotReplicated, too."""
        return await self.settled_command("FCALL", self.library.function(name), 1, root, *args, key=root)

    async def settled_command(self, *args: Argument, key: str) -> Any:
        """As `command`, but returns only when replicas have the write. Raises NotReplicated, too."""
        return await retry(partial(self._replicated.send, args, key=key), self._once_more)


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
        """Raises SchemaMismatch if the state of a shard has another schema version."""
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
    """Slices of at most `size` items."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
