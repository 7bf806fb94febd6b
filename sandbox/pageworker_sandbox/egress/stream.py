"""One TCP connection with backpressure in both directions. Two of them can forward to each other."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol, cast

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.forwarder import Forwarder
from pageworker_sandbox.egress.kernel_splice import SpliceSlots

_NO_LINGER = struct.pack("ii", 1, 0)
BUDGET_EXHAUSTED = "the budget is used up"
_ARRIVALS = count(1)
RUNNER_DISCONNECTED = "the runner disconnected"


class ByteMeter(Protocol):
    """Counts bytes, and decides whether more may pass. The runner's `Meter`, or one request's count on top of it."""

    def send(self, count: int) -> int:
        """Bytes go to an origin. Returns how many of them to send, all or none."""

    def receive(self, count: int) -> int:
        """Bytes came from an origin. Returns how many of them, from the first one on, to pass on."""


class Stream(asyncio.Protocol):
    """Reads and writes chunks of bytes. A stream with a meter is an origin's: it is counted and ends at the budget."""

    def __init__(self, buffer_bytes: int, meter: ByteMeter | None = None) -> None:
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
        self._outgoing: Forwarder | None = None
        """Where the bytes go that come."""
        self._incoming: Forwarder | None = None
        """From where bytes come that are sent."""
        self._dependent: Stream | None = None
        self._moved_at = self._loop.time()
        self._arrival = 0

    # ---- called by the event loop ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio declares a BaseTransport. That of a stream is a Transport.
        self._transport = cast(asyncio.Transport, transport)
        # TLS transports of asyncio cannot close one half.
        self._half_closes = self._transport.can_write_eof()
        self._transport.set_write_buffer_limits(high=self._buffer_bytes)

    def data_received(self, data: bytes) -> None:
        permitted = self.charge_received(len(data))
        if permitted == len(data):
            self._take_in(data)
            return
        # What the budget still covers is passed on, so that the runner gets all that it is charged.
        if permitted:
            self._take_in(data[:permitted])
        self.abort(BUDGET_EXHAUSTED)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._readable)
        if self._dependent is not None:
            self._dependent.abort(RUNNER_DISCONNECTED)
        if self._outgoing is not None:
            self._outgoing.source_ended()
        return self._half_closes

    def connection_lost(self, exc: Exception | None) -> None:
        if self._error is None and exc is not None:
            self._error = str(exc)
        self._ended = True
        for waiter in (self._readable, self._writable, self._gone):
            _wake(waiter)
        if self._dependent is not None:
            self._dependent.abort(RUNNER_DISCONNECTED)
        if self._incoming is not None:
            self._incoming.sink_closed()
        if self._outgoing is not None:
            self._outgoing.source_closed(self._error)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        if self._incoming is not None:
            self._incoming.source.pause()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._writable = None
        if self._incoming is not None:
            self._incoming.source.resume()

    # ---- called by sessions ----

    @property
    def quiet(self) -> bool:
        """The connection is open and nothing has arrived, so it can be reused."""
        return self.open and not self._chunks

    @property
    def open(self) -> bool:
        """The other side has closed neither the connection nor its half of it."""
        return not self._ended and not self._transport.is_closing()

    @property
    def stuck(self) -> bool:
        """The other side does not read what was written."""
        return self._writable is not None or (self._incoming is not None and self._incoming.stuck)

    @property
    def over_budget(self) -> bool:
        """The connection was cut for the runner's budget."""
        return self._error == BUDGET_EXHAUSTED

    @property
    def moved_at(self) -> float:
        """Loop time at which a byte was last received or written."""
        return self._moved_at

    @property
    def arrival(self) -> int:
        """Number of the last bytes that were received. Of two streams, the one with the higher number received last.

        The loop's time has milliseconds only (uvloop). 0: nothing was received.
        """
        return self._arrival

    async def read(self) -> bytes:
        """The bytes that have arrived, at least one. Empty at the end of the stream. Raises Disconnected."""
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
        """Queue bytes. Call `drain` before the next write. Raises Disconnected."""
        if self._gone.done() or self._transport.is_closing():
            raise Disconnected(self._error or "the connection is closed")
        self.forward(data)

    async def drain(self) -> None:
        """Wait until the peer has read enough. Raises Disconnected."""
        if self._writable is not None:
            await self._writable
        if self._error is not None:
            raise Disconnected(self._error)

    def forward(self, data: bytes) -> None:
        """Write from within a callback. On a closed connection the bytes are dropped."""
        self._moved_at = self._loop.time()
        if self.charge_sent(len(data)) < len(data):
            self.abort(BUDGET_EXHAUSTED)
        else:
            self.write_charged(data)

    def count_with(self, meter: ByteMeter) -> None:
        """Count the bytes of an origin's stream with this meter from now on."""
        self._meter = meter

    def end(self) -> None:
        """Close our half: the peer still gets what was written, then reads the end. With TLS both halves close."""
        if not self._transport.is_closing() and self._half_closes:
            self._transport.write_eof()
        if self._ended or not self._half_closes:
            self.close()

    def pause(self) -> None:
        """Stop reading. The kernel's receive window then stops the peer."""
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
        """Close at once, with a reset if bytes are unsent. Readers and writers get Disconnected."""
        if self._error is None:
            self._error = reason
        self._transport.abort()
        # Not with `connection_lost`: no byte passes after this.
        for forwarder in (self._outgoing, self._incoming):
            if forwarder is not None:
                forwarder.end_large()

    def reset(self, reason: str) -> None:
        """Abort with a reset in any case, so that the other side sees that it is not a normal end (socket(7))."""
        if not self._gone.done() and not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.abort(reason)

    async def gone(self) -> None:
        """Wait until both sides have closed the connection."""
        await asyncio.shield(self._gone)

    async def either_gone(self, other: "Stream") -> None:
        """Wait until one of the two connections is closed on both sides."""
        await asyncio.wait((self._gone, other._gone), return_when=asyncio.FIRST_COMPLETED)

    def on_gone(self, act: Callable[[], object]) -> None:
        """Call `act` once both sides have closed the connection."""
        self._gone.add_done_callback(lambda _: act())

    async def finish(self, linger_seconds: float) -> None:
        """Close our half, drop what still arrives, and close when the other side closes, or after `linger_seconds`.

        To close with unread bytes would send a reset, which can overtake the answer (RFC 9112, section 9.6).
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

    @contextmanager
    def ending(self, dependent: "Stream") -> Iterator[None]:
        """Within the context, `dependent` is aborted as soon as this stream ends."""
        self._dependent = dependent
        try:
            yield
        finally:
            self._dependent = None

    def splice(self, peer: "Stream", slots: SpliceSlots | None = None) -> None:
        """From now on each of the two streams forwards to the other, ends included. `slots`: for large transfers."""
        ways = Forwarder(self, peer, slots), Forwarder(peer, self, slots)
        self._outgoing, peer._outgoing = ways
        peer._incoming, self._incoming = ways
        for source, way in ((self, ways[0]), (peer, ways[1])):
            if source._chunks:
                way.forward(source._take())
            source.resume()
            if source._ended:
                way.source_ended()

    async def pour(self, sink: "Stream", count: int, slots: SpliceSlots | None = None) -> None:
        """Forward exactly `count` bytes, at least one. `slots`: as above. Raises Disconnected."""
        way = self._outgoing = sink._incoming = Forwarder(self, sink, slots, count)
        try:
            if self._chunks:
                self._take_in(self._take())
            if self._ended:
                way.source_ended()
            elif not way.complete.done() and not sink.stuck:
                self.resume()
            await way.complete
        finally:
            way.end_large()
            self._outgoing = sink._incoming = None
            self.resume()

    # ---- called by forwarders ----

    @property
    def plain_descriptor(self) -> int | None:
        """The descriptor of an open connection whose bytes are those of TCP. None: TLS ends here, or it is not open."""
        sock = self._transport.get_extra_info("socket")
        return sock.fileno() if self._half_closes and self.open and sock is not None else None

    @property
    def drained(self) -> bool:
        """Nothing waits to be sent."""
        return not self._transport.get_write_buffer_size()

    def charge_received(self, count: int) -> int:
        """Bytes have come. Returns how many of them, from the first one on, to pass on."""
        self._moved_at = self._loop.time()
        self._arrival = next(_ARRIVALS)
        return count if self._meter is None else self._meter.receive(count)

    def charge_sent(self, count: int) -> int:
        """Bytes are to be sent. Returns how many of them, all or none."""
        return count if self._meter is None else self._meter.send(count)

    def write_charged(self, data: bytes) -> None:
        """Send bytes that were charged. On a closed connection they are dropped."""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def abort_over_budget(self) -> None:
        """Abort the connection of an origin for the runner's budget. Another one is left alone."""
        if self._meter is not None:
            self.abort(BUDGET_EXHAUSTED)

    def _take_in(self, data: bytes) -> None:
        if self._outgoing is not None:
            data = self._outgoing.forward(data)
        if not data:
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._held >= self._buffer_bytes:
            self.pause()
        _wake(self._readable)

    def _take(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        return data


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
