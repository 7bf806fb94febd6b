"""Calling functions: the one place where Redis' errors become ours.

Every function may be said twice: it carries an id, a token or a nonce. So a call whose reply was lost is made once
more here, on a new connection; a second loss is the caller's to see.
"""

import time
from math import inf
from typing import Any

from redis import exceptions as rx
from redis.asyncio import RedisCluster

from pageworker_supervisor.queue.errors import Unsettled
from pageworker_supervisor.queue.library import Library, library
from pageworker_supervisor.queue.messagepack import EMPTY_REQUEST
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, OutOfMemory, classify, is_function_missing
from pageworker_supervisor.redis_client.pipeline import run_pipeline
from pageworker_supervisor.redis_client.sharding import root

Argument = str | bytes | int | float


class FunctionCalls:
    """Functions of one library over one client."""

    def __init__(self, client: Any, prefix: str, options: QueueOptions) -> None:
        self.client = client
        self._prefix = prefix
        self.cluster = isinstance(client, RedisCluster)
        self.library: Library = library(
            prefix,
            cluster=self.cluster,
            test_clock=options.test_clock,
            lease_ms=options.lease_ms,
            outbox_lease_ms=options.outbox_lease_ms,
        )
        self._replicas = options.replicas
        self._replica_wait_ms = int(options.replica_wait_seconds * 1000)
        self._patience_seconds = options.replica_patience_seconds
        self._short_since: dict[str, float] = {}

    async def load(self) -> None:
        """Put the library on every primary. Replaces only itself.

        Without memory nothing can be loaded; where it is there already, the work that frees memory must go on.
        """
        try:
            await self._load()
        except CLIENT_ERRORS as error:
            ours = classify(error)
            if not isinstance(ours, OutOfMemory) or not await self._is_there():
                raise ours from error

    async def _is_there(self) -> bool:
        base = root(self._prefix, 0)
        try:
            await self._send("FCALL", self.library.function("stats"), 1, base, EMPTY_REQUEST, key=base)
        except CLIENT_ERRORS:
            return False
        return True

    async def _load(self) -> None:
        options = {"target_nodes": RedisCluster.PRIMARIES} if self.cluster else {}
        await self.client.execute_command("FUNCTION LOAD", "REPLACE", self.library.code, **options)

    async def call(self, name: str, root: str, *args: Argument) -> Any:
        """One function, on the shard of `root`. Raises Unavailable or Refused."""
        return await self._said("FCALL", self.library.function(name), 1, root, *args, key=root)

    async def command(self, *args: Argument, key: str) -> Any:
        """One plain command that touches `key` and may be said twice."""
        return await self._said(*args, key=key)

    async def settled_call(self, name: str, root: str, *args: Argument) -> Any:
        """As `call`, and back only when as many replicas as wanted have it; else Unsettled.

        A failover brings a short shortage. One that lasts is how things are: a lost replica must not stop the work.
        """
        return await self._settled(("FCALL", self.library.function(name), 1, root, *args), root)

    async def settled_command(self, *args: Argument, key: str) -> Any:
        """As `command`, likewise."""
        return await self._settled(args, key)

    async def _settled(self, said: tuple[Argument, ...], key: str) -> Any:
        if not self._replicas:
            return await self._said(*said, key=key)
        try:
            primary = await self._primary_of(key)
            # WAIT speaks of what its own connection wrote, so both go down the same one.
            lasting = time.monotonic() - self._short_since.get(primary, inf) > self._patience_seconds
            wait = ("WAIT", self._replicas, 1 if lasting else self._replica_wait_ms)
            reply, reached = await (
                self._on_node(key, said, wait) if self.cluster else run_pipeline(self.client, (said, wait))
            )
        except CLIENT_ERRORS as error:
            if is_function_missing(error):
                await self.load()
            elif isinstance(error, rx.AskError):
                await self._said(*said, key=key)  # this finds the new owner, for the next time too
            raise classify(error) from error
        if reached >= self._replicas:
            self._short_since.pop(primary, None)
        else:
            self._short_since.setdefault(primary, time.monotonic())
            if not lasting:
                raise Unsettled(f"{reached} of {self._replicas} replicas have it")
        return reply

    async def _primary_of(self, key: str) -> str:
        """Whose replicas are waited for."""
        if not self.cluster:
            return ""
        await self.client.initialize()
        name: str = self.client.get_node_from_key(key).name
        return name

    async def _on_node(self, key: str, *commands: tuple[Argument, ...]) -> list[Any]:
        node = self.client.get_node_from_key(key)
        connection = node.acquire_connection()
        try:
            replies = []
            for command in commands:
                await connection.send_command(*command)
                replies.append(await connection.read_response())
            return replies
        except rx.ResponseError:
            raise  # the connection is in step
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            node.release(connection)

    async def _said(self, *args: Argument, key: str) -> Any:
        try:
            return await self._send(*args, key=key)
        except CLIENT_ERRORS as error:
            if is_function_missing(error):
                await self.load()
            elif not _is_lost(error):
                raise classify(error) from error
        try:
            return await self._send(*args, key=key)
        except CLIENT_ERRORS as error:
            raise classify(error) from error

    async def _send(self, *args: Argument, key: str) -> Any:
        if not self.cluster:
            return await self.client.execute_command(*args)
        # The client would ask the server for the keys of an FCALL, one more round trip each time.
        await self.client.initialize()
        return await self.client.execute_command(*args, target_nodes=self.client.get_node_from_key(key))


def _is_lost(error: Exception) -> bool:
    """The connection broke: nobody knows whether the call was made."""
    refused = (rx.AuthenticationError, rx.AuthorizationError, rx.BusyLoadingError, rx.MaxConnectionsError)
    return isinstance(error, (rx.ConnectionError, rx.TimeoutError, OSError)) and not isinstance(error, refused)
