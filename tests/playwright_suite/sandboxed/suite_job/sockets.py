"""A web socket of the suite's server, with the names that tests use of autobahn's protocol."""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .requests import RemoteObject

if TYPE_CHECKING:
    from .origin_link import OriginLink


class SocketEvents:
    """Listeners by event."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[tuple[Callable[..., Any], bool]]] = defaultdict(list)

    def on(self, event: str, listener: Callable[..., Any]) -> None:
        """Call it each time."""
        self._listeners[event].append((listener, False))

    def once(self, event: str, listener: Callable[..., Any]) -> None:
        """Call it the next time."""
        self._listeners[event].append((listener, True))

    def emit(self, event: str, *given: Any) -> None:
        """Call all of this event."""
        listeners = self._listeners.pop(event, [])
        self._listeners[event] = [each for each in listeners if not each[1]]
        for listener, _ in listeners:
            listener(*given)


class WebSocketProtocol(RemoteObject):
    """The server's end of one web socket."""

    def __init__(self, link: "OriginLink", number: int) -> None:
        super().__init__(link, number)
        self.events = SocketEvents()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """The page has sent this. Tests replace this method."""
        self.events.emit("message", payload, isBinary)

    def sendMessage(self, payload: bytes, isBinary: bool = False) -> None:
        """To the page."""
        self._method("sendMessage", payload, isBinary)

    def sendClose(self, code: int | None = None, reason: str | None = None) -> None:
        """To the page."""
        self._method("sendClose", code, reason)
