"""One side of an HTTP/1.1 exchange: h11's events over a stream. Parsing is limited by the runner's CPU budget."""

import asyncio
import time
from typing import Any, cast

import h11

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.wire.token_bucket import CpuBudget


class HttpSide:
    """Receives and sends events. `role` is h11.SERVER towards the runner, h11.CLIENT towards an origin."""

    def __init__(
        self, stream: Stream, role: type[h11.SERVER] | type[h11.CLIENT], limits: EgressLimits, budget: CpuBudget
    ) -> None:
        self.stream = stream
        self.state = h11.Connection(role, max_incomplete_event_size=limits.head_bytes)
        self._limits = limits
        self._budget = budget
        self._unfed = b""

    async def request(self) -> h11.Request | None:
        """The head of the next request. None: the runner disconnected, or was idle or slow for too long.

        Raises Disconnected, h11.RemoteProtocolError.
        """
        try:
            if not self.trailing:
                async with asyncio.timeout(self._limits.idle_seconds):
                    await self._feed()
            async with asyncio.timeout(self._limits.head_seconds):
                event = await self.event()
        except TimeoutError:
            return None
        return event if isinstance(event, h11.Request) else None

    async def event(self) -> Any:
        """The next event of the peer. Raises Disconnected, h11.RemoteProtocolError."""
        while True:
            event = await self._parse()
            if event is not h11.NEED_DATA:
                return event
            await self._feed()

    async def body(self) -> tuple[bytes, h11.EndOfMessage | None]:
        """The next part of a body, with small parts joined, and the end of the message if it follows at once.

        Raises Disconnected, h11.RemoteProtocolError.
        """
        parts: list[bytes] = []
        held = 0
        while held < self._limits.buffer_bytes and len(parts) < self._limits.events_per_turn:
            event = await self._parse()
            if isinstance(event, h11.Data):
                parts.append(event.data)
                held += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return _join(parts), event
            elif event is not h11.NEED_DATA:
                raise Disconnected("the body was cut short")
            elif parts and not self._unfed:
                break
            else:
                await self._feed()
        return _join(parts), None

    def take_trailing(self) -> bytes:
        """The bytes after the last parsed event. No more of this message is parsed."""
        held, self._unfed = self.trailing, b""
        return held

    def sent_elsewhere(self, count: int) -> None:
        """`count` bytes of a body were sent in another way. Raises h11.LocalProtocolError."""
        # h11 passes on what it gets, and asks it for its length alone (h11, "sendfile").
        self.state.send_with_data_passthrough(h11.Data(data=cast(bytes, range(count))))

    def send(self, *events: h11.Event) -> None:
        """Queue events as one write. Raises Disconnected, h11.LocalProtocolError."""
        since = time.perf_counter()
        pieces: list[bytes] = []
        for event in events:
            pieces += self.state.send_with_data_passthrough(event) or ()
        data = _join(pieces)
        self._budget.spend(since)
        if data:
            self.stream.write(data)

    @property
    def trailing(self) -> bytes:
        """The bytes after the last parsed message."""
        return self.state.trailing_data[0] + self._unfed

    @property
    def ended(self) -> bool:
        """The peer has closed its half, after a whole message or before any."""
        return self.state.trailing_data == (b"", True)

    def next_cycle(self) -> bool:
        """Prepare for the next message. False: the present messages are incomplete, or the connection must close."""
        if self.state.our_state is not h11.DONE or self.state.their_state is not h11.DONE:
            return False
        self.state.start_next_cycle()
        return True

    async def _parse(self) -> Any:
        await self._budget.turn()
        since = time.perf_counter()
        try:
            return self.state.next_event()
        finally:
            self._budget.spend(since)

    async def _feed(self) -> None:
        # In pieces: h11 checks the size of a head only while it is incomplete. A large head that is fed at once would
        # be parsed whole.
        data = self._unfed or await self.stream.read()
        piece = self._limits.head_bytes
        self._unfed = data[piece:]
        self.state.receive_data(data[:piece])


def _join(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
