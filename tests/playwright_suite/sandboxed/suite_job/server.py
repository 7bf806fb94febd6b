"""The suite's server as its tests know it. The sockets are outside; what to answer is decided here."""

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

from .requests import HttpRequest
from .sockets import WebSocketProtocol

FOUND = 302


class ExpectedRequest:
    """What `expect_request` and `expect_websocket` give: the value is there after the block, once it has come."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    @property
    def value(self) -> Any:
        """The request or the socket. Raises InvalidStateError if none has come."""
        return self._future.result()


class Server:
    """One server: its routes, and who waits for its requests."""

    def __init__(self, protocol: str, port: int) -> None:
        self.protocol = protocol
        self.PORT = port
        self.PREFIX = f"{protocol}://localhost:{port}"
        self.EMPTY_PAGE = f"{self.PREFIX}/empty.html"
        self.CROSS_PROCESS_PREFIX = f"{protocol}://127.0.0.1:{port}"
        self.reset()

    def __repr__(self) -> str:
        return self.PREFIX

    def reset(self) -> None:
        """Forget everything."""
        self.request_subscribers: dict[str, asyncio.Future[Any]] = {}
        self.auth: dict[str, tuple[str, str]] = {}
        self.csp: dict[str, str] = {}
        self.routes: dict[str, Callable[[HttpRequest], Any]] = {}
        self.gzip_routes: set[str] = set()
        self._on_sockets: list[Callable[[WebSocketProtocol], Any]] = []

    def on_request(self, request: HttpRequest) -> None:
        """A request has arrived."""
        path = urlparse(request.uri.decode()).path
        waiting = self.request_subscribers.pop(path, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(request)
        auth = self.auth.get(path)
        route = self.routes.get(path) if path != "/ws" else None
        request.decide(path, auth, self.csp.get(path), path in self.gzip_routes, route is not None)
        if route is not None and (auth is None or request.is_from(*auth)):
            self._call(route, request)

    def on_web_socket(self, socket: WebSocketProtocol) -> None:
        """A web socket has been opened."""
        handlers, self._on_sockets = self._on_sockets, []
        for handler in handlers:
            self._call(handler, socket)

    async def wait_for_request(self, path: str) -> HttpRequest:
        """The next request for this path."""
        future = self.request_subscribers.setdefault(path, asyncio.get_running_loop().create_future())
        found: HttpRequest = await future
        return found

    @contextmanager
    def expect_request(self, path: str) -> Iterator[ExpectedRequest]:
        """The next request for this path."""
        yield ExpectedRequest(self.request_subscribers.setdefault(path, asyncio.get_running_loop().create_future()))

    def wait_for_web_socket(self) -> asyncio.Future[WebSocketProtocol]:
        """The next web socket."""
        future: asyncio.Future[WebSocketProtocol] = asyncio.get_running_loop().create_future()
        self.once_web_socket_connection(future.set_result)
        return future

    @contextmanager
    def expect_websocket(self) -> Iterator[ExpectedRequest]:
        """The next web socket."""
        yield ExpectedRequest(self.wait_for_web_socket())

    def set_auth(self, path: str, username: str, password: str) -> None:
        """Ask for this login."""
        self.auth[path] = (username, password)

    def set_csp(self, path: str, value: str) -> None:
        """Send this policy."""
        self.csp[path] = value

    def enable_gzip(self, path: str) -> None:
        """Compress this file."""
        self.gzip_routes.add(path)

    def set_route(self, path: str, callback: Callable[[HttpRequest], Any]) -> None:
        """Have this function answer."""
        self.routes[path] = callback

    def set_redirect(self, from_: str, to: str) -> None:
        """Answer with a redirect."""

        def redirect(request: HttpRequest) -> None:
            request.setResponseCode(FOUND)
            request.setHeader("location", to)
            request.finish()

        self.set_route(from_, redirect)

    def send_on_web_socket_connection(self, data: bytes) -> None:
        """Greet the next web socket."""
        self.once_web_socket_connection(lambda socket: socket.sendMessage(data))

    def once_web_socket_connection(self, handler: Callable[[WebSocketProtocol], Any]) -> None:
        """Call it with the next web socket."""
        self._on_sockets.append(handler)

    @staticmethod
    def _call(handler: Callable[[Any], Any], given: Any) -> None:
        try:
            handler(given)
        except Exception:  # noqa: BLE001 - as in the suite, a server's error is not its test's
            traceback.print_exc()
