"""Tells which keys are written, by anybody, on one connection for any number of keys.

This is client-side caching in broadcast mode (https://redis.io/docs/latest/develop/reference/client-side-caching/):
Redis sends the names of the keys that begin with a prefix, once per turn of its event loop, and remembers nothing. With
RESP2 they come as messages of a channel, here on the connection that asked for them.

No command blocks on many lists without taking an element from one, and an element that is taken is lost with the reply.
"""

import time
from collections.abc import Sequence
from typing import Any

from pageworker_supervisor.redis_client.clients import Client
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, ConnectionLost, classify

CHANNEL = "__redis__:invalidate"
MOST_MESSAGES = 1000
"""Read per call, while more are there."""


class KeyWatch:
    """The keys with some prefixes, none of which begins with another. One task uses it."""

    def __init__(self, client: Client, prefixes: Sequence[str]) -> None:
        self._client = client
        self._prefixes = prefixes
        self._pubsub: Any = None  # redis-py leaves it untyped
        self._asked = False

    async def changed(self, seconds: float) -> set[bytes] | None:
        """The keys that were written since the last call; waits for some. Empty: there were none in this time. With 0
        seconds it asks Redis nothing, so it does not notice a peer that is gone.

        None: it is not known, because the connection is a new one, or the database was emptied. Raises
        RedisClientError; the next call connects anew.
        """
        try:
            if self._pubsub is None:
                await self._open()
                return None
            found = await self._read(seconds)
            if found == set() and seconds > 0:
                await self._ask_whether_alive()
            return found
        except CLIENT_ERRORS as error:
            await self.aclose()
            raise classify(error) from error
        except BaseException:
            # A reply may be half read.
            await self.aclose()
            raise

    async def _ask_whether_alive(self) -> None:
        """A peer that is gone without a word would never be noticed. Raises ConnectionLost: the last PING has no answer
        yet."""
        if self._asked:
            raise ConnectionLost("no answer to PING")
        self._asked = True
        await self._pubsub.ping()

    async def aclose(self) -> None:
        """Close the connection."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            await pubsub.aclose()

    async def _open(self) -> None:
        self._pubsub = pubsub = self._client.pubsub()
        await pubsub.connect()
        connection = pubsub.connection
        await connection.send_command("CLIENT", "ID")
        own = await connection.read_response()
        words = [word for prefix in self._prefixes for word in ("PREFIX", prefix)]
        await connection.send_command("CLIENT", "TRACKING", "ON", "REDIRECT", own, "BCAST", *words)
        await connection.read_response()
        await pubsub.subscribe(CHANNEL)
        self._asked = False

    async def _read(self, seconds: float) -> set[bytes] | None:
        found: set[bytes] = set()
        known, until = True, time.monotonic() + seconds
        for _ in range(MOST_MESSAGES):
            left = max(0.0, until - time.monotonic()) if not found and known else 0.0
            message = await self._pubsub.get_message(timeout=left)
            if message is None:
                break
            self._asked = False
            if message["type"] != "message":
                continue
            keys = message["data"]
            known = known and isinstance(keys, list)  # no list: all keys are gone
            found.update(keys if isinstance(keys, list) else ())
        return found if known else None
