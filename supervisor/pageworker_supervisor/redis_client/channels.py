"""Listens to pub/sub channels for any number of readers, over one connection.

Messages of a channel are best effort: those of a moment without a connection are lost. Readers are told of each such
gap, and look themselves at what they may have missed. In a Redis Cluster every node passes every message on, so one
connection to any node is enough.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NoReturn, Protocol

from pageworker_supervisor.redis_client.availability import longest_delay
from pageworker_supervisor.redis_client.client import RedisClient
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, ConnectionLost, RedisUnavailable, classify
from pageworker_supervisor.telemetry import log

CONFIRM_SECONDS = 5.0
"""Redis confirms a subscription within this time."""
PING_SECONDS = 10.0
SILENT_SECONDS = 30.0
"""A connection on which nothing came for this time, not even the answer to a ping, is lost."""
SWEEP_SECONDS = 30.0
"""Between two looks for channels without readers. A reader that comes back meanwhile needs no new subscription."""


class ChannelReader(Protocol):
    """Who reads a channel. Neither method may wait."""

    def message(self, untrusted_text: bytes) -> None:
        """A message came."""

    def gap(self) -> None:
        """Messages may have been lost."""


class _Channel:
    """One channel that is, or will be, subscribed to."""

    def __init__(self) -> None:
        self.confirmed = asyncio.Event()
        self.lost = False
        """Whether the connection broke since the last confirmation."""
        self.readers: Counter[ChannelReader] = Counter()
        """A reader may listen several times at once. It gets each message once."""


class ChannelListener:
    """One connection. `run` keeps it open."""

    def __init__(self, redis_client: RedisClient, kept: str) -> None:
        """`kept`: a channel that is always listened to, so that the connection is never without one."""
        self._redis_client = redis_client
        self._kept = kept
        self._channels: dict[str, _Channel] = {}
        # Any: redis-py's PubSub is untyped.
        self._pubsub: Any = None
        """While it is connected."""

    async def run(self) -> NoReturn:
        """Listen until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._serve()
            except CLIENT_ERRORS as error:
                failures = 0 if time.monotonic() - began > SILENT_SECONDS else failures + 1
                log.warning("channels are not heard", reason=str(classify(error)))
            except RedisUnavailable as silent:
                log.warning("channels are not heard", reason=str(silent))
            await asyncio.sleep(random.uniform(0, longest_delay(failures)))

    @contextlib.asynccontextmanager
    async def listening(self, name: str, reader: ChannelReader) -> AsyncIterator[None]:
        """Pass each message of a channel to the reader, from the begin of the block on.

        Raises RedisUnavailable if Redis does not confirm the subscription.
        """
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel()
            await self._subscribe(name)
        channel.readers[reader] += 1
        try:
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await channel.confirmed.wait()
            except TimeoutError:
                raise RedisUnavailable("Redis does not confirm a subscription in time") from None
            yield
        finally:
            channel.readers[reader] -= 1
            if not channel.readers[reader]:
                del channel.readers[reader]

    async def _subscribe(self, name: str) -> None:
        if self._pubsub is not None:
            # Otherwise `run` subscribes to it when it connects.
            with contextlib.suppress(*CLIENT_ERRORS):
                await self._pubsub.subscribe(name)

    async def _serve(self) -> NoReturn:
        commands = self._redis_client.commands
        if self._redis_client.is_cluster:
            await commands.initialize()
        pubsub = commands.pubsub()
        try:
            await pubsub.subscribe(self._kept, *self._channels)
            self._pubsub = pubsub
            await self._listen(pubsub)
        finally:
            self._pubsub = None
            self._lost()
            with contextlib.suppress(*CLIENT_ERRORS):
                await pubsub.aclose()

    async def _listen(self, pubsub: Any) -> NoReturn:
        heard_at = pinged_at = swept_at = time.monotonic()
        while True:
            message = await pubsub.get_message(timeout=PING_SECONDS)
            now = time.monotonic()
            if message is not None:
                heard_at = now
                self._handle(message)
            elif now - heard_at > SILENT_SECONDS:
                raise ConnectionLost(f"nothing was heard for {SILENT_SECONDS:g} s")
            if now - max(heard_at, pinged_at) >= PING_SECONDS:
                pinged_at = now
                await pubsub.ping()
            if now - swept_at >= SWEEP_SECONDS:
                swept_at = now
                await self._sweep(pubsub)

    def _handle(self, message: dict[str, Any]) -> None:
        channel = self._channels.get((message["channel"] or b"").decode())
        if channel is None:
            return
        if message["type"] == "subscribe":
            channel.confirmed.set()
            if channel.lost:
                # Not before: what a reader looks up now cannot change unnoticed.
                channel.lost = False
                for reader in list(channel.readers):
                    reader.gap()
        elif message["type"] == "message":
            for reader in list(channel.readers):
                reader.message(message["data"])

    async def _sweep(self, pubsub: Any) -> None:
        # Only confirmed ones: the next confirmation of a channel is then that of its next subscription.
        unread = [
            name for name, channel in self._channels.items() if not channel.readers and channel.confirmed.is_set()
        ]
        for name in unread:
            del self._channels[name]
        if unread:
            await pubsub.unsubscribe(*unread)

    def _lost(self) -> None:
        for channel in self._channels.values():
            channel.lost = channel.lost or channel.confirmed.is_set()
            channel.confirmed.clear()
