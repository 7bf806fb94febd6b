"""A fake egress gateway with a fake web behind it. It answers on the runner's own listener."""

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

from pageworker_sandbox.egress import reply
from pageworker_sandbox.egress.errors import EgressError, EgressRefused
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.target import requested_authority


@dataclass(frozen=True)
class Request:
    """One request as the proxy sees it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def host(self) -> str:
        """Without the port."""
        return urlsplit(self.url).hostname or ""

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.url).path


@dataclass(frozen=True)
class SiteAnswer:
    """One answer. `held`: it is never sent. `unfinished`: its body never ends. `fails`: the gateway's error instead."""

    body: str = ""
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    content_type: str = "text/html; charset=utf-8"
    held: bool = False
    unfinished: bool = False
    fails: EgressError | None = None


def _not_found(request: Request) -> SiteAnswer:
    return SiteAnswer("<h1>nothing here</h1>", "404 Not Found")


@dataclass
class Site:
    """Pages by path, the same for every host. `seen` has the requests. Tunnels to ports other than 80 are refused."""

    pages: dict[str, SiteAnswer | Callable[[Request], SiteAnswer]] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client has closed its connection during an unfinished body."""
    _server: asyncio.Server | None = None
    _reports: FailureReports | None = None
    _clients: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, listener: socket.socket, failures: int | None = None) -> Self:
        """Answer on `listener`. The site closes it. `failures`: write end of the runner's failure pipe."""
        self._reports = None if failures is None else FailureReports(failures)
        listener.setblocking(False)
        self._server = await asyncio.start_server(self._client, sock=listener)
        return self

    async def close(self) -> None:
        """Stop, with every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def requested(self, path: str) -> list[Request]:
        """The requests for one path."""
        return [request for request in self.seen if request.path == path]

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request = _parse(head)
                if length := int(request.headers.get("content-length", "0")):
                    request = replace(request, body=await reader.readexactly(length))
                self.seen.append(request)
                self.arrived.set()
                if not await self._answer(request, reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._clients.discard(task)

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if request.method == "CONNECT" and request.url.endswith(":80"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return True
        if request.method == "CONNECT":
            return self._fail(request, EgressRefused("host_not_allowed"), writer)
        page = self.pages.get(request.path, _not_found)
        answer = page(request) if callable(page) else page
        if answer.fails is not None:
            return self._fail(request, answer.fails, writer)
        if answer.held:
            await asyncio.get_running_loop().create_future()
        body = answer.body.encode()
        lines = [
            f"HTTP/1.1 {answer.status}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(body) + answer.unfinished}",
            *answer.headers,
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        if answer.unfinished:
            await reader.read()
            self.hung_up.set()
        return not answer.unfinished

    def _fail(self, request: Request, error: EgressError, writer: asyncio.StreamWriter) -> bool:
        authority = requested_authority(request.method.encode(), request.url.encode())
        assert self._reports is not None
        self._reports.report(reply.failure(error, authority))
        writer.write(reply.answer(error, authority, tunnel=request.method == "CONNECT"))
        return False


def _parse(head: bytes) -> Request:
    first, *rest = head.decode("latin-1").split("\r\n")
    method, url, _ = first.split(" ", 2)
    headers = dict(re.split(r":\s*", line, maxsplit=1) for line in rest if ":" in line)
    return Request(method, url, {name.lower(): value for name, value in headers.items()})
