"""Frames and descriptors over a Unix stream socket, for asyncio. Source: unix(7), cmsg(3)."""

import asyncio
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence

from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation
from pageworker_sandbox.wire.framing import Parser, encode
from pageworker_sandbox.wire.messages import Message, MessageSpec
from pageworker_sandbox.wire.token_bucket import CpuBudget

READ_BYTES = 64 * 1024
MAX_DESCRIPTORS = 8
MAX_UNSENT_BYTES = 16 * 1024 * 1024
HIGH_WATER_BYTES = 1024 * 1024
DESCRIPTOR_BYTES = 4


class Channel:
    """One end of a channel. `outgoing` and `incoming` are the messages of the two directions.

    `budget` limits the time that messages of an untrusted peer take; code that acts on the messages charges its time
    to the same budget. Frames wait in a queue and are written whole and in order, so a cancelled `send` never leaves
    half a frame.
    """

    def __init__(
        self,
        sock: socket.socket,
        outgoing: dict[int, MessageSpec],
        incoming: dict[int, MessageSpec],
        budget: CpuBudget | None = None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._outgoing = outgoing
        self._parser = Parser(incoming)
        self._carried = {spec.message: spec.descriptors for spec in incoming.values()}
        self._budget = budget
        self._descriptors: deque[int] = deque()
        self._received: deque[tuple[Message, list[int]]] = deque()
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._unsent_bytes = 0
        self._broken: OSError | None = None
        self._flushed = asyncio.Event()
        self._arrived = asyncio.Event()

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message. The caller keeps its descriptors and closes them. Raises ChannelClosed.

        Waits only while more than HIGH_WATER_BYTES are unsent. Raises ProtocolViolation if the peer does not read.
        """
        frame = encode(self._outgoing, message, len(descriptors))
        if self._unsent_bytes + len(frame) > MAX_UNSENT_BYTES:
            raise ProtocolViolation(f"the peer does not read: {self._unsent_bytes} bytes are unsent")
        self._check_open()
        self._unsent.append((memoryview(frame), [os.dup(descriptor) for descriptor in descriptors]))
        self._unsent_bytes += len(frame)
        self._flush()
        while self._unsent_bytes > HIGH_WATER_BYTES:
            self._flushed.clear()
            await self._flushed.wait()
        self._check_open()

    def _check_open(self) -> None:
        if self._broken is not None or self._sock.fileno() < 0:
            raise ChannelClosed(str(self._broken or "the channel is closed"))

    def _flush(self) -> None:
        """Write what the socket accepts. The loop calls this again when the socket accepts more."""
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                frame, descriptors = self._unsent[0]
                sent = socket.send_fds(self._sock, [frame], descriptors) if descriptors else self._sock.send(frame)
                self._unsent_bytes -= sent
                self._unsent[0] = (frame[sent:], [])
                _close(descriptors)
                if sent == len(frame):
                    self._unsent.popleft()
        except BlockingIOError:
            loop.add_writer(self._sock.fileno(), self._flush)
        except OSError as error:
            self._broken = error
            self._drop_unsent()
        if not self._unsent and self._sock.fileno() >= 0:
            loop.remove_writer(self._sock.fileno())
        self._flushed.set()

    def _drop_unsent(self) -> None:
        for _, descriptors in self._unsent:
            _close(descriptors)
        self._unsent.clear()
        self._unsent_bytes = 0

    async def receive(self) -> tuple[Message, list[int]]:
        """The next message with its descriptors, which the caller owns.

        Raises ChannelClosed, ProtocolViolation. Raises OSError if this process has no free descriptor for one that
        was sent.
        """
        if self._budget is not None:
            await self._budget.turn()
        while not self._received:
            await self._read()
        return self._received.popleft()

    async def _read(self) -> None:
        try:
            # Not socket.recv_fds: it ignores its flags, and received descriptors must be close-on-exec.
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
            # Raises OSError if this process has no free descriptor: then the fault is not the peer's (unix(7)).
            os.close(os.dup(self._sock.fileno()))
        if flags & socket.MSG_CTRUNC or len(self._descriptors) > MAX_DESCRIPTORS:
            raise ProtocolViolation(f"more than {MAX_DESCRIPTORS} descriptors at once, which no message carries")
        if not data:
            raise ChannelClosed("end of file: the peer has closed the channel")
        since = time.perf_counter()
        for message in self._parser.feed(data):
            count = self._carried[type(message)]
            if count > len(self._descriptors):
                raise ProtocolViolation(f"{type(message).__name__} announced a descriptor that was not sent")
            self._received.append((message, [self._descriptors.popleft() for _ in range(count)]))
        if self._budget is not None:
            self._budget.spend(since)
        # A peer that sends without end must not keep other tasks from running.
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
            raise ChannelClosed("the channel is closed")

    def close(self) -> None:
        """Close the socket and every descriptor that was received and not handed out. May be called again."""
        if self._sock.fileno() < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock.fileno())
        loop.remove_writer(self._sock.fileno())
        self._drop_unsent()
        for _, descriptors in self._received:
            _close(descriptors)
        _close(list(self._descriptors))
        self._descriptors.clear()
        self._received.clear()
        self._sock.close()
        self._flushed.set()
        self._arrived.set()


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
