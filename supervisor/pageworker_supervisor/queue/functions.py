"""Calls of the queue's Redis Functions.

Every function may be called twice with the same arguments: it carries an id, a token or a nonce. So each call is
repeated once where its reply was lost, or where the primary did not have the functions yet (redis_client/retry.py).
"""

from functools import partial
from typing import Any

from pageworker_supervisor.queue.library import Library, library
from pageworker_supervisor.queue.messagepack import EMPTY_REQUEST
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client.errors import ConnectionLost, FunctionMissing, OutOfMemory, RedisClientError
from pageworker_supervisor.redis_client.replicated import ReplicatedWrites
from pageworker_supervisor.redis_client.retry import no_repair, once_more, retry
from pageworker_supervisor.redis_client.router import Argument, Router
from pageworker_supervisor.redis_client.sharding import root


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

        A primary without memory loads nothing. If it has the library already, that is no failure: the work that frees
        memory must go on.
        """
        try:
            await self._router.send_to_primaries("FUNCTION LOAD", "REPLACE", self.library.code)
        except OutOfMemory:
            if not await self._is_loaded():
                raise

    async def _is_loaded(self) -> bool:
        base = root(self._prefix, 0)
        try:
            await self._router.send("FCALL", self.library.function("stats"), 1, base, EMPTY_REQUEST, key=base)
        except RedisClientError:
            return False
        return True

    async def call(self, name: str, root: str, *args: Argument) -> Any:
        """The reply of one function, on the shard of `root`."""
        return await self.command("FCALL", self.library.function(name), 1, root, *args, key=root)

    async def command(self, *args: Argument, key: str) -> Any:
        """The reply of one plain command on the slot of `key`. It may run twice."""
        return await retry(partial(self._router.send, *args, key=key), self._once_more)

    async def settled_call(self, name: str, root: str, *args: Argument) -> Any:
        """As `call`, but returns only when replicas have the write. Raises NotReplicated, too."""
        return await self.settled_command("FCALL", self.library.function(name), 1, root, *args, key=root)

    async def settled_command(self, *args: Argument, key: str) -> Any:
        """As `command`, but returns only when replicas have the write. Raises NotReplicated, too."""
        return await retry(partial(self._replicated.send, args, key=key), self._once_more)
