"""One TCP connection with backpressure both ways; two of them can be spliced into a tunnel."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.meter import Meter

_NO_LINGER = struct.pack("ii", 1, 0)


class Stream(asyncio.Protocol):
    """Chunks in, bytes out. With a meter it is an origin's side, counted and cut at the byte budget."""

    def __init__(self, buffer_bytes: int, meter: Meter | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer_bytes = buffer_bytes
        self._meter = meter
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._reading = True
        self._error: str | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._peer: Stream | None = None
        self.dependent: Stream | None = None
        """Cut as soon as this one ends: an origin's connection that works for a runner's."""
        self.moved_at = self._loop.time()

    # ---- what the loop calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._buffer_bytes)

    def data_received(self, data: bytes) -> None:
        self.moved_at = self._loop.time()
        if self._meter is not None and not self._meter.receives(len(data)):
            self.abort("the byte budget is exhausted")
        elif self._peer is not None:
            self._peer.forward(data)
        else:
            self._chunks.append(data)
            self._held += len(data)
            if self._held >= self._buffer_bytes:
                self.pause()
            _wake(self._readable)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._readable)
        if self.dependent is not None:
            self.dependent.abort("the runner hung up")
        if self._peer is not None:
            self._peer.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._error is None and exc is not None:
            self._error = str(exc)
        self._ended = True
        for waiter in (self._readable, self._writable, self._gone):
            _wake(waiter)
        if self.dependent is not None:
            self.dependent.abort("the runner hung up")
        if self._peer is not None:
            self._peer.close()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        if self._peer is not None:
            self._peer.pause()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._writable = None
        if self._peer is not None:
            self._peer.resume()

    # ---- what sessions call ----

    @property
    def quiet(self) -> bool:
        """Still open and nothing has arrived: fit to be used again."""
        return self.open and not self._chunks

    @property
    def open(self) -> bool:
        """The other side has not closed, not even its half."""
        return not self._ended and not self._transport.is_closing()

    @property
    def stuck(self) -> bool:
        """The other side does not read what was written."""
        return self._writable is not None

    async def read(self) -> bytes:
        """What has arrived, at least a byte; empty at the end of the stream. Raises Disconnected."""
        while not self._chunks:
            if self._error is not None:
                raise Disconnected(self._error)
            if self._ended:
                return b""
            self._readable = self._loop.create_future()
            try:
                await self._readable
            finally:
                self._readable = None
        data = self._take()
        self.resume()
        return data

    def write(self, data: bytes) -> None:
        """Queue bytes; `drain` before the next. Raises Disconnected."""
        if self._gone.done() or self._transport.is_closing():
            raise Disconnected(self._error or "the connection is closed")
        self.forward(data)

    async def drain(self) -> None:
        """Wait until the peer has taken enough. Raises Disconnected."""
        if self._writable is not None:
            await self._writable
        if self._error is not None:
            raise Disconnected(self._error)

    def forward(self, data: bytes) -> None:
        """Write, from inside a callback: what can not be written any more is dropped with the connection."""
        self.moved_at = self._loop.time()
        if self._meter is not None and not self._meter.sends(len(data)):
            self.abort("the byte budget is exhausted")
        elif not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        """Half-close: what was written still arrives, then the peer reads the end."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        if self._ended:
            self.close()

    def pause(self) -> None:
        """Stop reading: the kernel's window then stops the peer."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def close(self) -> None:
        """Close once everything is written."""
        self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once, by a reset where something is unsent. Readers and writers get Disconnected."""
        if self._error is None:
            self._error = reason
        self._transport.abort()

    def reset(self, reason: str) -> None:
        """Abort, and let the other side know that it was no end (SO_LINGER in socket(7))."""
        if not self._gone.done() and not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.abort(reason)

    async def gone(self) -> None:
        """Wait until the connection is closed on both sides."""
        await asyncio.shield(self._gone)

    def on_gone(self, act: Callable[[], object]) -> None:
        """Call once the connection is closed on both sides."""
        self._gone.add_done_callback(lambda _: act())

    async def finish(self, linger_seconds: float) -> None:
        """Half-close, drop what still arrives, close when the other side did; cut after `linger_seconds`.

        Closing with unread bytes would be a reset, and that can overtake the answer (RFC 9112, section 9.6).
        """
        try:
            async with asyncio.timeout(linger_seconds):
                self.end()
                while await self.read():
                    pass
                self.close()
                await self.gone()
        except (TimeoutError, Disconnected):
            pass
        finally:
            self.abort("closed")

    def splice(self, peer: "Stream") -> None:
        """From now on whatever one receives the other sends, ends included."""
        self._peer, peer._peer = peer, self
        for source, sink in ((self, peer), (peer, self)):
            if source._chunks:
                sink.forward(source._take())
            source.resume()
            if source._ended:
                sink.end()

    async def carry(self, peer: "Stream", silence_seconds: float, linger_seconds: float) -> None:
        """Be a tunnel with `peer` until both sides are closed."""
        with IdleTimeout(self, peer, silence_seconds):
            self.splice(peer)
            await asyncio.wait((self._gone, peer._gone), return_when=asyncio.FIRST_COMPLETED)
        await self.finish(linger_seconds)
        await peer.finish(linger_seconds)

    def _take(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        return data


class IdleTimeout:
    """Cuts the origin's stream when no byte moves for so long; the runner's as well where it does not read.

    A context; `broken` tells that it came to that.
    """

    def __init__(self, runner: Stream, origin: Stream, seconds: float) -> None:
        self._runner = runner
        self._origin = origin
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self.broken = False

    def __enter__(self) -> Self:
        self._since = self._loop.time()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        # Streams note the time of a move; the timer is only wound up again when it has run down.
        moved_at = max(self._since, self._runner.moved_at, self._origin.moved_at)
        left = moved_at + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self.broken = True
        self._origin.abort("no byte moved")
        if self._runner.stuck:
            self._runner.abort("no byte moved")


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
