"""uvicorn's HTTP protocol with the limits that uvicorn lacks: on connections that send nothing or never end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from pageworker_supervisor.admin.connection_limits import ConnectionTable, peer_of

HEAD_SECONDS = 5.0
"""From the connection, or from the previous answer, until the head of a request is complete."""
ANSWER_SECONDS = 30.0
"""From the complete head until the peer has read the whole answer."""
STOP_SECONDS = 2.0
"""For an answer that is being sent when the server stops."""

Dropped = Literal["crowded", "head_timeout", "answer_timeout", "stopping"]


@dataclass(frozen=True)
class ConnectionBounds:
    """For all connections of one listener. `answer_seconds` None: an answer may take any time, as that to a drain
    does. `idle_seconds`: from an answer to the first byte of the next request; None: `head_seconds` counts from the
    answer."""

    table: "ConnectionTable[BoundedProtocol]"
    on_dropped: Callable[[Dropped], None]
    head_seconds: float = HEAD_SECONDS
    answer_seconds: float | None = ANSWER_SECONDS
    idle_seconds: float | None = None


class BoundedProtocol(H11Protocol):
    """One connection. uvicorn and h11 do the parsing."""

    def __init__(self, bounds: ConnectionBounds, **uvicorn_arguments: Any) -> None:
        super().__init__(**uvicorn_arguments)
        self._bounds = bounds
        self._deadline: asyncio.TimerHandle | None = None
        self._answering = False
        self._idle = False
        """Whether it was answered, and no byte of a next request has come."""
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, and drop another one where there are too many."""
        # asyncio declares a BaseTransport. That of a stream is a Transport.
        connection = cast("asyncio.Transport", transport)
        super().connection_made(connection)
        evicted = self._bounds.table.add(self, peer_of(self.client[0] if self.client else None), self.loop.time())
        if evicted is not None:
            evicted.drop("crowded")
        self._set_deadline(self._bounds.head_seconds, "head_timeout")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._bounds.table.remove(self)
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request. The deadline counts for the whole request: single bytes do not extend it."""
        super().data_received(data)
        begins, self._idle = self._idle, False
        self._update_state()
        if begins and not self._answering and not self._stopping and not self.transport.is_closing():
            self._set_deadline(self._bounds.head_seconds, "head_timeout")

    def on_response_complete(self) -> None:
        """The answer is sent. The next request may have arrived already."""
        super().on_response_complete()
        self._update_state(answered=True)

    def shutdown(self) -> None:
        """The server stops: close the connection, or wait a limited time for its answer to end."""
        super().shutdown()
        self._stopping = True
        self._set_deadline(STOP_SECONDS, "stopping")

    def drop(self, why: Dropped) -> None:
        """Close the connection at once, and count why."""
        self._bounds.on_dropped(why)
        self._bounds.table.remove(self)
        self._cancel_deadline()
        self.transport.abort()

    def _update_state(self, *, answered: bool = False) -> None:
        if self._stopping or self.transport.is_closing():
            return
        before, self._answering = self._answering, bool(self.cycle and not self.cycle.response_complete)
        if self._answering and (answered or not before):
            self._bounds.table.request_complete(self, self.loop.time())
            self._set_deadline(self._bounds.answer_seconds, "answer_timeout")
        elif not self._answering and (answered or before):
            self._bounds.table.answer_complete(self, self.loop.time())
            self._idle = self._bounds.idle_seconds is not None
            self._set_deadline(self._bounds.idle_seconds or self._bounds.head_seconds, "head_timeout")

    def _set_deadline(self, seconds: float | None, why: Dropped) -> None:
        self._cancel_deadline()
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self.drop, why)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
