"""The one place where commands go to a Redis server, whatever the topology; and the shard of a tenant's keys.

Standalone and Sentinel have one primary, so there is nothing to choose. In a Redis Cluster each key belongs to a hash
slot and each slot to a primary. Every call here names a key, and the router sends the command to that key's primary.

- The key is named by the caller. redis-py would ask the server for the keys of FCALL and EVAL: one more round trip
  per call.
- MOVED (the slot has a new owner) and ASK (the slot is being moved) are followed within the call: by redis-py for
  single commands, by ClusterClient for several on one connection. Redis redirects a command instead of running it, so
  nothing runs twice.
- What remains (TRYAGAIN, CLUSTERDOWN, a lost connection) is raised. Every error leaves here as a RedisClientError.
- Nothing is repeated here. availability.py says what callers repeat.
- Blocking reads use a client with connections and time limits of its own: a blocked connection serves nothing else.
"""

import asyncio
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import RedisCluster

from pageworker_supervisor.redis_client.clients import Client
from pageworker_supervisor.redis_client.cluster_key_watch import ClusterKeyWatch, NodeClient
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, NotReplicated, classify
from pageworker_supervisor.redis_client.key_watch import KeyWatch
from pageworker_supervisor.redis_client.operation import operation_of

Argument = str | bytes | int | float

SHORTEST_WAIT_MS = 1
"""WAIT takes 0 for "without a limit"."""


def shard_of(tenant_id: str, shards: int) -> int:
    """The shard of a tenant. It holds all jobs of the tenant, because its limits are counted there."""
    return zlib.crc32(tenant_id.encode()) % shards


def root(prefix: str, shard: int) -> str:
    """The key that every function is called with. All keys of the shard begin with it, and so share its hash tag."""
    return f"{prefix}:{{{shard}}}"


def unobserved(_operation: str, _seconds: float) -> None:
    """For a router whose calls are not measured."""


class Router:
    """Sends commands to the primary that owns a key. Replies are as redis-py gives them; strings are bytes."""

    def __init__(
        self, commands: Client, blocking: Client, *, observe: Callable[[str, float], None] = unobserved
    ) -> None:
        """`commands` serves calls that are answered at once, `blocking` those that block. Both have one topology.

        `observe` is called with the operation and the seconds of each call that does not block.
        """
        self.commands = commands
        self._blocking = blocking
        self._observe = observe
        self.is_cluster = isinstance(commands, RedisCluster)

    async def send(self, *words: Argument, key: str, blocks: bool = False) -> Any:
        """One command on the slot of `key`. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        began = time.perf_counter()
        try:
            if not self.is_cluster:
                return await client.execute_command(*words)
            await client.initialize()
            return await client.execute_command(*words, target_nodes=client.get_node_from_key(key))
        except CLIENT_ERRORS as error:
            raise classify(error) from error
        finally:
            if not blocks:
                self._observe(operation_of(words), time.perf_counter() - began)

    async def send_together(
        self, commands: Sequence[Sequence[Argument]], *, key: str, blocks: bool = False
    ) -> list[Any]:
        """Commands on the slot of `key`, on one connection and in order; not a transaction. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        began = time.perf_counter()
        try:
            if self.is_cluster:
                replies: list[Any] = await client.execute_together(commands, key)
                return replies
            return await run_pipeline(client, commands)
        except CLIENT_ERRORS as error:
            raise classify(error) from error
        finally:
            if commands and not blocks:
                self._observe(operation_of(commands[0]), time.perf_counter() - began)

    def key_watch(self, *prefixes: str) -> KeyWatch | ClusterKeyWatch:
        """Tells which keys that begin so are written."""
        if self.is_cluster:
            return ClusterKeyWatch(self._primaries, self.commands.look_again, prefixes)
        return KeyWatch(self._blocking, prefixes)

    async def send_each(self, commands: Sequence[tuple[str, Sequence[Argument]]]) -> list[Any]:
        """The replies of commands that each name the slot of another key. Those for one primary go together.

        While slots move, each goes on its own. Raises RedisClientError.
        """
        if not self.is_cluster:
            return await self.send_together([words for _, words in commands], key="")
        by_primary: dict[str, list[int]] = {}
        for at, (key, _) in enumerate(commands):
            by_primary.setdefault(await self.primary_of(key), []).append(at)
        replies: list[Any] = [None] * len(commands)
        for places in by_primary.values():
            try:
                some = await self._send_to_one_primary([commands[at] for at in places])
            except CLIENT_ERRORS:
                some = [await self.send(*commands[at][1], key=commands[at][0]) for at in places]
            for at, reply in zip(places, some, strict=True):
                replies[at] = reply
        return replies

    async def _send_to_one_primary(self, commands: Sequence[tuple[str, Sequence[Argument]]]) -> list[Any]:
        node = self.commands.get_node_from_key(commands[0][0])
        replies: list[Any] = await self.commands.execute_on(node, [words for _, words in commands])
        return replies

    async def _primaries(self) -> dict[str, NodeClient]:
        """A client of each primary, as far as they are known now. Raises RedisClientError."""
        try:
            await self.commands.initialize()
            return {str(node.name): NodeClient(self.commands, node) for node in self.commands.get_primaries()}
        except CLIENT_ERRORS as error:
            raise classify(error) from error

    async def send_to_primaries(self, *words: Argument) -> list[Any]:
        """The replies of every primary to one command. Every primary gets it, also if another one fails.

        Raises the first RedisClientError.
        """
        client = self.commands
        try:
            if not self.is_cluster:
                return [await client.execute_command(*words)]
            await client.initialize()
            sent = (client.execute_command(*words, target_nodes=node) for node in client.get_primaries())
            replies = await asyncio.gather(*sent, return_exceptions=True)
            for reply in replies:
                if isinstance(reply, BaseException):
                    raise reply
            return replies
        except CLIENT_ERRORS as error:
            raise classify(error) from error

    async def primary_of(self, key: str) -> str:
        """The name of the primary that owns `key`, `host:port`; "" if there is only one. Raises RedisClientError."""
        if not self.is_cluster:
            return ""
        try:
            await self.commands.initialize()
            return str(self.commands.get_node_from_key(key).name)
        except CLIENT_ERRORS as error:
            raise classify(error) from error


class ReplicatedWrites:
    """Writes that count only when `replicas` replicas have them (0: at once).

    Redis replicates asynchronously: a failover can lose a write that was acknowledged. WAIT asks how many replicas have
    confirmed what its own connection wrote, so the write and its WAIT go down one connection.

    A failover leaves a primary short of replicas for some seconds. Writes then raise NotReplicated and are repeated,
    until the shortage has lasted `patience_seconds`. After that it is the state of the deployment, for instance one
    that has lost a replica for good: writes no longer wait, because a lost replica must not stop the work.
    """

    def __init__(self, router: Router, replicas: int, wait_seconds: float, patience_seconds: float) -> None:
        self._router = router
        self._replicas = replicas
        self._wait_ms = int(wait_seconds * 1000)
        self._patience_seconds = patience_seconds
        self._short_since: dict[str, float] = {}
        """Primaries that are short of replicas, and since when."""

    async def send(self, command: Sequence[Argument], *, key: str) -> Any:
        """The reply of one write on the slot of `key`. Raises NotReplicated and other errors of the Redis client."""
        if not self._replicas:
            return await self._router.send(*command, key=key)
        primary = await self._router.primary_of(key)
        accepted = self._short_for(primary) > self._patience_seconds
        wait = ("WAIT", self._replicas, SHORTEST_WAIT_MS if accepted else self._wait_ms)
        reply, confirmed = await self._router.send_together((command, wait), key=key)
        if confirmed >= self._replicas:
            self._short_since.pop(primary, None)
        else:
            self._short_since.setdefault(primary, time.monotonic())
            if not accepted:
                raise NotReplicated(f"{confirmed} of {self._replicas} required replicas confirmed the write in time")
        return reply

    def _short_for(self, primary: str) -> float:
        """Seconds since the first write that too few replicas confirmed; 0 if the last one was confirmed."""
        now = time.monotonic()
        return now - self._short_since.get(primary, now)


async def run_pipeline(client: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The replies of commands that one server runs in order; not a transaction. Raises the first error reply.

    The error is raised as it came: redis-py's own way puts a sentence before it, and its first word tells its kind.
    """
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
