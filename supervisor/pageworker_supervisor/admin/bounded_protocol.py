"""uvicorn's HTTP protocol with bounds that uvicorn lacks: connections that send nothing, or never come to an end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from pageworker_supervisor.admin.connection_limits import ConnectionTable, peer_of

HEAD_SECONDS = 5.0
"""From connecting, or from the last answer, until the head of a request is complete."""
ANSWER_SECONDS = 30.0
"""From there until the peer has taken the whole answer."""

STOP_SECONDS = 2.0
"""For answers under way when the server stops."""

Dropped = Literal["crowded", "head_timeout", "answer_timeout", "stopping"]


@dataclass(frozen=True)
class Bounds:
    """Of all connections of one listener. `answer_seconds` None: answers may take any time (a drain is one)."""

    table: "ConnectionTable[BoundedProtocol]"
    on_dropped: Callable[[Dropped], None]
    head_seconds: float = HEAD_SECONDS
    answer_seconds: float | None = ANSWER_SECONDS


class BoundedProtocol(H11Protocol):
    """One connection. Parsing stays uvicorn's and h11's."""

    def __init__(self, bounds: Bounds, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._bounds = bounds
        self._deadline: asyncio.TimerHandle | None = None
        self._answering = False
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, and let another go where there are too many."""
        connection = cast("asyncio.Transport", transport)
        super().connection_made(connection)
        gone = self._bounds.table.add(self, peer_of(self.client[0] if self.client else None), self.loop.time())
        if gone is not None:
            gone.drop("crowded")
        self._expect(self._bounds.head_seconds, "head_timeout")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._bounds.table.remove(self)
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request. The deadline is that of the whole: one byte now and then does not move it."""
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        """The next request may come, or be here already."""
        super().on_response_complete()
        self._note(answered=True)

    def shutdown(self) -> None:
        """The server stops: close it, or let its answer end, but not for ever."""
        super().shutdown()
        self._stopping = True
        self._expect(STOP_SECONDS, "stopping")

    def drop(self, why: Dropped) -> None:
        """Cut it."""
        self._bounds.on_dropped(why)
        self._bounds.table.remove(self)
        self._calm()
        self.transport.abort()

    def _note(self, *, answered: bool = False) -> None:
        if self._stopping or self.transport.is_closing():
            return
        before, self._answering = self._answering, bool(self.cycle and not self.cycle.response_complete)
        if self._answering and (answered or not before):
            self._bounds.table.answers(self, self.loop.time())
            self._expect(self._bounds.answer_seconds, "answer_timeout")
        elif not self._answering and (answered or before):
            self._bounds.table.waits(self, self.loop.time())
            self._expect(self._bounds.head_seconds, "head_timeout")

    def _expect(self, seconds: float | None, else_: Dropped) -> None:
        self._calm()
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self.drop, else_)

    def _calm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
