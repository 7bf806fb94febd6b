"""Frames and descriptors over a Unix stream socket, for asyncio. Source: unix(7), cmsg(3)."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation
from pageworker_sandbox.wire.framing import Parser, encode
from pageworker_sandbox.wire.messages import Message, Word

READ_BYTES = 256 * 1024
MAX_DESCRIPTORS = 8
MAX_UNSENT_BYTES = 8 * 1024 * 1024


class Channel:
    """One end. `outgoing` and `incoming` are the vocabularies of the two directions."""

    def __init__(self, sock: socket.socket, outgoing: dict[int, Word], incoming: dict[int, Word]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._outgoing = outgoing
        self._parser = Parser(incoming)
        self._descriptors: deque[int] = deque()
        self._ready: deque[tuple[Message, list[int]]] = deque()
        self._sending = asyncio.Lock()
        self._unsent = 0

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message; the caller keeps (and closes) its descriptors. Raises ChannelClosed."""
        frame = memoryview(encode(self._outgoing, message, len(descriptors)))
        if self._unsent + len(frame) > MAX_UNSENT_BYTES:
            raise ProtocolViolation("the peer does not read what it is sent")
        self._unsent += len(frame)
        try:
            async with self._sending:
                # A frame that was begun is always finished: half a frame would desynchronise the peer.
                await asyncio.shield(self._send_all(frame, list(descriptors)))
        finally:
            self._unsent -= len(frame)

    async def _send_all(self, frame: memoryview, descriptors: list[int]) -> None:
        loop = asyncio.get_running_loop()
        while frame:
            try:
                sent = (
                    socket.send_fds(self._sock, [frame], descriptors)
                    if descriptors
                    else self._sock.send(frame)
                )
            except BlockingIOError:
                await _until(loop.add_writer, loop.remove_writer, self._sock)
                continue
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            frame, descriptors = frame[sent:], []

    async def receive(self) -> tuple[Message, list[int]]:
        """The next message with its descriptors, which the caller owns.

        Raises ChannelClosed, ProtocolViolation.
        """
        while not self._ready:
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            data, descriptors, flags, _ = socket.recv_fds(
                self._sock, READ_BYTES, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            await _until(loop.add_reader, loop.remove_reader, self._sock)
            return
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        self._descriptors.extend(descriptors)
        if flags & socket.MSG_CTRUNC or len(self._descriptors) > MAX_DESCRIPTORS:
            raise ProtocolViolation("more descriptors than any message carries")
        if not data:
            raise ChannelClosed("end of file")
        for frame in self._parser.feed(data):
            if frame.descriptors > len(self._descriptors):
                raise ProtocolViolation("a descriptor was announced and not sent")
            self._ready.append(
                (frame.message, [self._descriptors.popleft() for _ in range(frame.descriptors)])
            )

    def close(self) -> None:
        """Close the socket and every descriptor that nobody took."""
        for _, descriptors in self._ready:
            self._descriptors.extend(descriptors)
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._ready.clear()
        self._sock.close()


async def _until(
    add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool], sock: socket.socket
) -> None:
    """Wait until the loop says that the socket is ready in the direction of `add`."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(sock.fileno(), wake)
    try:
        await ready
    finally:
        if sock.fileno() >= 0:
            remove(sock.fileno())
