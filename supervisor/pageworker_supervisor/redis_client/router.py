"""The one place where commands go to a Redis server, whatever the topology.

Standalone and Sentinel have one primary, so there is nothing to choose. In a Redis Cluster each key belongs to a hash
slot and each slot to a primary. Every call here names a key, and the router sends the command to that key's primary.

- The key is named by the caller. redis-py would ask the server for the keys of FCALL and EVAL: one more round trip
  per call.
- MOVED (the slot has a new owner) and ASK (the slot is being moved) are followed within the call: by redis-py for
  single commands, by ClusterClient for several on one connection. Redis redirects a command instead of running it, so
  nothing runs twice.
- What remains (TRYAGAIN, CLUSTERDOWN, a lost connection) is raised. Every error leaves here as a RedisClientError.
- Nothing is repeated here. retry.py says what callers repeat.
- Blocking reads use a client with connections and time limits of its own: a blocked connection serves nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import RedisCluster

from pageworker_supervisor.redis_client.clients import Client
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, classify
from pageworker_supervisor.redis_client.pipeline import run_pipeline

Argument = str | bytes | int | float


class Router:
    """Sends commands to the primary that owns a key. Replies are as redis-py gives them; strings are bytes."""

    def __init__(self, commands: Client, blocking: Client) -> None:
        """`commands` serves calls that are answered at once, `blocking` those that block. Both have one topology."""
        self.commands = commands
        self._blocking = blocking
        self.is_cluster = isinstance(commands, RedisCluster)

    async def send(self, *words: Argument, key: str, blocks: bool = False) -> Any:
        """One command on the slot of `key`. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        try:
            if not self.is_cluster:
                return await client.execute_command(*words)
            await client.initialize()
            return await client.execute_command(*words, target_nodes=client.get_node_from_key(key))
        except CLIENT_ERRORS as error:
            raise classify(error) from error

    async def send_together(
        self, commands: Sequence[Sequence[Argument]], *, key: str, blocks: bool = False
    ) -> list[Any]:
        """Commands on the slot of `key`, on one connection and in order; not a transaction. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        try:
            if self.is_cluster:
                replies: list[Any] = await client.execute_together(commands, key)
                return replies
            return await run_pipeline(client, commands)
        except CLIENT_ERRORS as error:
            raise classify(error) from error

    async def send_to_primaries(self, *words: Argument) -> list[Any]:
        """The replies of every primary to one command. Every primary gets it, also where another one fails.

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
        """The name of the primary that owns `key`, `host:port`; "" where there is only one. Raises RedisClientError."""
        if not self.is_cluster:
            return ""
        try:
            await self.commands.initialize()
            return str(self.commands.get_node_from_key(key).name)
        except CLIENT_ERRORS as error:
            raise classify(error) from error
