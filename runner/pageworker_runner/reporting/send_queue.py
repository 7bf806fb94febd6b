"""Sends the runner's messages in order. `put` never waits; one task sends."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence

from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.messages import LogLine, Message

MAX_WAITING_MESSAGES = 4000
"""A log line that comes while so many messages wait is dropped. No other message is."""


class SendQueue:
    """Messages that wait for the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._queue: deque[tuple[Message, Sequence[int]]] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Queue one message. The queue closes its descriptors once they are sent."""
        if isinstance(message, LogLine) and len(self._queue) >= MAX_WAITING_MESSAGES:
            return
        self._queue.append((message, descriptors))
        self._empty.clear()
        self._filled.set()

    async def until_sent(self) -> None:
        """Wait until everything in the queue has been sent."""
        await self._empty.wait()

    async def run(self) -> None:
        """Send until cancelled. Raises WireError."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                message, descriptors = self._queue[0]
                try:
                    await self._channel.send(message, descriptors)
                finally:
                    self._queue.popleft()
                    for descriptor in descriptors:
                        os.close(descriptor)
            self._empty.set()
