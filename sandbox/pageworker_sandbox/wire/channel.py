"""Frames and descriptors over a Unix stream socket, for asyncio. Source: unix(7), cmsg(3)."""

import asyncio
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence

from pageworker_sandbox.wire.cpu_budget import CpuBudget
from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation
from pageworker_sandbox.wire.framing import Parser, encode
from pageworker_sandbox.wire.messages import Message, MessageSpec

READ_BYTES = 64 * 1024
MAX_DESCRIPTORS = 8
MAX_UNSENT_BYTES = 16 * 1024 * 1024
HIGH_WATER_BYTES = 1024 * 1024
DESCRIPTOR_BYTES = 4


class Channel:
    """One end. `outgoing` and `incoming` are the vocabularies of the two directions.

    `share` is what the peer may take of this thread, where it is not to be trusted with all of it; who acts on its
    messages books their time there too. Frames wait in a queue and are written whole and in order, so a cancelled
    sender never leaves half a frame.
    """

    def __init__(
        self,
        sock: socket.socket,
        outgoing: dict[int, MessageSpec],
        incoming: dict[int, MessageSpec],
        share: CpuBudget | None = None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._outgoing = outgoing
        self._parser = Parser(incoming)
        self._share = share
        self._descriptors: deque[int] = deque()
        self._ready: deque[tuple[Message, list[int]]] = deque()
        self._queue: deque[tuple[memoryview, list[int]]] = deque()
        self._unsent = 0
        self._broken: OSError | None = None
        self._room = asyncio.Event()
        self._arrived = asyncio.Event()

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message; the caller keeps (and closes) its descriptors. Raises ChannelClosed.

        Waits only while much is unsent; ProtocolViolation where the peer has stopped reading altogether.
        """
        frame = encode(self._outgoing, message, len(descriptors))
        if self._unsent + len(frame) > MAX_UNSENT_BYTES:
            raise ProtocolViolation("the peer does not read what it is sent")
        self._check_open()
        self._queue.append((memoryview(frame), [os.dup(descriptor) for descriptor in descriptors]))
        self._unsent += len(frame)
        self._flush()
        while self._unsent > HIGH_WATER_BYTES:
            self._room.clear()
            await self._room.wait()
        self._check_open()

    def _check_open(self) -> None:
        if self._broken is not None or self._sock.fileno() < 0:
            raise ChannelClosed(str(self._broken or "closed"))

    def _flush(self) -> None:
        """Write what the socket takes; the loop calls again when it takes more."""
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                frame, descriptors = self._queue[0]
                sent = socket.send_fds(self._sock, [frame], descriptors) if descriptors else self._sock.send(frame)
                self._unsent -= sent
                self._queue[0] = (frame[sent:], [])
                _close(descriptors)
                if sent == len(frame):
                    self._queue.popleft()
        except BlockingIOError:
            loop.add_writer(self._sock.fileno(), self._flush)
        except OSError as error:
            self._broken = error
            self._drop_queue()
        if not self._queue and self._sock.fileno() >= 0:
            loop.remove_writer(self._sock.fileno())
        self._room.set()

    def _drop_queue(self) -> None:
        for _, descriptors in self._queue:
            _close(descriptors)
        self._queue.clear()
        self._unsent = 0

    async def receive(self) -> tuple[Message, list[int]]:
        """The next message with its descriptors, which the caller owns.

        Raises ChannelClosed, ProtocolViolation; OSError where we have no descriptor left for one that was sent.
        """
        if self._share is not None:
            await self._share.turn()
        while not self._ready:
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        try:
            # Not socket.recv_fds: it ignores its flags, and descriptors must not
            # be inherited by what we start.
            data, ancillary, flags, _ = self._sock.recvmsg(
                READ_BYTES, socket.CMSG_LEN(MAX_DESCRIPTORS * DESCRIPTOR_BYTES), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            await self._readable()
            return
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        for _, _, packed in ancillary:
            count = len(packed) // DESCRIPTOR_BYTES
            self._descriptors.extend(struct.unpack(f"{count}i", packed[: count * DESCRIPTOR_BYTES]))
        if flags & socket.MSG_CTRUNC:
            # Raises where no descriptor can be had: then it was us who could not take what the peer sent (unix(7)).
            os.close(os.dup(self._sock.fileno()))
        if flags & socket.MSG_CTRUNC or len(self._descriptors) > MAX_DESCRIPTORS:
            raise ProtocolViolation("more descriptors than any message carries")
        if not data:
            raise ChannelClosed("end of file")
        since = time.perf_counter()
        for frame in self._parser.feed(data):
            if frame.descriptors > len(self._descriptors):
                raise ProtocolViolation("a descriptor was announced and not sent")
            self._ready.append((frame.message, [self._descriptors.popleft() for _ in range(frame.descriptors)]))
        if self._share is not None:
            self._share.spend(since)
        # A peer that always has more to say must not keep others from being heard.
        await asyncio.sleep(0)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._arrived.clear()
        loop.add_reader(self._sock.fileno(), self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            if self._sock.fileno() >= 0:
                loop.remove_reader(self._sock.fileno())
        if self._sock.fileno() < 0:
            raise ChannelClosed("closed")

    def close(self) -> None:
        """Close the socket and every descriptor that nobody took."""
        if self._sock.fileno() < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock.fileno())
        loop.remove_writer(self._sock.fileno())
        self._drop_queue()
        for _, descriptors in self._ready:
            _close(descriptors)
        _close(list(self._descriptors))
        self._descriptors.clear()
        self._ready.clear()
        self._sock.close()
        self._room.set()
        self._arrived.set()


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
