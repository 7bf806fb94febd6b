"""A connection in memory: the protocol of the code under test, and a peer that follows a script."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class PeerEnd(Enum):
    """What the peer does after its last piece."""

    CLOSES_ITS_HALF = 0
    RESETS = 1
    STAYS = 2
    NEVER_READS = 3
    """As STAYS, and what is written to it piles up."""


@dataclass(frozen=True)
class PeerScript:
    """What the peer sends."""

    pieces: Sequence[bytes]
    end: PeerEnd
    waits: bool
    """True: it sends its first piece only after it has got bytes."""


class _NoSocket:
    def setsockopt(self, *_: object) -> None:
        """Nothing."""


class MemoryTransport(asyncio.Transport):
    """Our side of the connection. `received` is what the peer got."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, script: PeerScript, tls: bool = False) -> None:
        super().__init__()
        self.received = bytearray()
        self._loop = loop
        self._protocol = protocol
        self._script = script
        self._tls = tls
        self._pieces = deque(script.pieces)
        self._begun = not script.waits
        self._scheduled = False
        self._reading = True
        self._peer_ended = self._half_closed = self._closing = self._lost = self._stuck = False
        self._high = 64 * 1024
        if self._begun:
            self._schedule()

    # ---- the peer ----

    def _schedule(self) -> None:
        if self._begun and not self._scheduled and self._reading and not self._closing and not self._peer_ended:
            self._scheduled = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        self._scheduled = False
        if self._closing or not self._reading:
            return
        if self._pieces:
            self._protocol.data_received(self._pieces.popleft())
        elif self._script.end is PeerEnd.RESETS:
            self._lose(ConnectionResetError("reset by the peer"))
        elif self._script.end is PeerEnd.CLOSES_ITS_HALF:
            self._peer_ended = True
            if not self._protocol.eof_received() or self._half_closed:
                self.close()
        else:
            return
        self._schedule()

    # ---- asyncio.Transport ----

    def can_write_eof(self) -> bool:
        return not self._tls

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or self._high

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _NoSocket() if name == "socket" else default

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._schedule()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._half_closed, "written after the end of our half"
        self.received += data
        if data and not self._begun:
            self._begun = True
            self._schedule()
        if self._script.end is PeerEnd.NEVER_READS and not self._stuck and len(self.received) > self._high:
            self._stuck = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        self._half_closed = True
        if self._peer_ended:
            self.close()

    def close(self) -> None:
        # A peer that reads gets everything at once. One that does not read keeps the connection until it is aborted.
        if not self._closing and not self._stuck:
            self._lose(None)

    def abort(self) -> None:
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)
