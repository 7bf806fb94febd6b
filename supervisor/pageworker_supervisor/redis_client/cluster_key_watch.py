"""Tells which keys of a Redis Cluster are written: one watch per primary, because each tells of its own keys alone.

A primary that comes, goes or changes makes what was written unknown once. While one does not answer, the watch fails as
every command to its keys does.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, RedisClientError
from pageworker_supervisor.redis_client.key_watch import KeyWatch

READ_SECONDS = 5.0
"""One read of a primary. It goes on while the caller does something else."""


class NodeClient:
    """The part of a client that a watch needs, for one node of a cluster."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self._cluster = cluster
        self._node = node

    def pubsub(self) -> Any:
        """A connection to the node. Any: redis-py's PubSub is untyped."""
        return self._cluster.pubsub(node=self._node)


class ClusterKeyWatch:
    """The keys with some prefixes, none of which begins with another. One task uses it."""

    def __init__(
        self,
        nodes: Callable[[], Awaitable[Mapping[str, NodeClient]]],
        look_again: Callable[[], None],
        prefixes: Sequence[str],
    ) -> None:
        """`nodes`: the primaries by name, as they are known now. `look_again`: they may have changed."""
        self._nodes = nodes
        self._look_again = look_again
        self._prefixes = prefixes
        self._watches: dict[str, KeyWatch] = {}
        self._reads: dict[str, asyncio.Task[set[bytes] | None]] = {}

    async def changed(self, seconds: float) -> set[bytes] | None:
        """The keys that were written since the last call; waits for some. Empty: there were none in this time.

        None: it is not known of at least one primary. Raises RedisClientError.
        """
        await self._follow()
        await asyncio.wait(self._reads.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if seconds == 0:
            await asyncio.sleep(0)  # what has arrived is read in the next turn
        found: set[bytes] = set()
        known = True
        for name, read in [*self._reads.items()]:
            if not read.done():
                continue
            del self._reads[name]
            try:
                keys = read.result()
            except RedisClientError:
                self._look_again()
                raise
            known = known and keys is not None
            found |= keys or set()
        return found if known else None

    async def aclose(self) -> None:
        """Close the connections."""
        for name in list(self._watches):
            await self._drop(name)

    async def _follow(self) -> None:
        """One watch, and one read of it, per primary."""
        nodes = await self._nodes()
        for name in set(self._watches) - set(nodes):
            await self._drop(name)
        for name, node in nodes.items():
            watch = self._watches.get(name)
            if watch is None:
                watch = self._watches[name] = KeyWatch(node, self._prefixes)
            if name not in self._reads:
                read = asyncio.create_task(watch.changed(READ_SECONDS))  # noqa: TID251 - it goes on between calls; `_drop` ends it
                self._reads[name] = read

    async def _drop(self, name: str) -> None:
        watch, read = self._watches.pop(name), self._reads.pop(name, None)
        if read is not None:
            read.cancel()
            with contextlib.suppress(asyncio.CancelledError, RedisClientError):
                await read
        with contextlib.suppress(*CLIENT_ERRORS):
            await watch.aclose()
