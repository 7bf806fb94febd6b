"""A cell of the gateway inside the test's own loop, and what a runner would say to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import h11

from pageworker_sandbox.dialer.connector import DirectConnector
from pageworker_sandbox.dialer.targets import TargetRules, parse_rules
from pageworker_sandbox.egress.acceptor import adopt
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason
from pageworker_sandbox.egress.runner_proxy import RunnerProxy
from pageworker_sandbox.egress.target import Target

ALL = (("*",),)


@dataclass
class RunningProxy:
    """A cell, the port its runner would use as proxy, and what it refused."""

    runner_proxy: RunnerProxy
    port: int
    refused: list[tuple[Reason, str]] = field(default_factory=list)


def listener() -> socket.socket:
    """A listening socket, as a runner passes it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    return sock


@asynccontextmanager
async def running(
    policy: EgressPolicy, limits: EgressLimits | None = None, names: Mapping[str, list[str]] | None = None
) -> AsyncIterator[RunningProxy]:
    """A cell that knows only `names`."""
    refused: list[tuple[Reason, str]] = []
    known = {f"{name}.": addresses for name, addresses in (names or {}).items()}

    def look_up(host: str) -> list[Address]:
        if host not in known:
            raise OSError("no such name")
        return [ip_address(address) for address in known[host]]

    def on_refusal(reason: Reason, target: Target) -> None:
        refused.append((reason, target.authority))

    with listener() as sock:
        port = sock.getsockname()[1]
        connector = DirectConnector(_rules(policy), look_up)
        proxy = RunnerProxy(adopt(sock.detach()), policy, limits or EgressLimits(), connector, on_refusal)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(proxy.run())
        yield RunningProxy(proxy, port, refused)
        assert not task.done(), "the proxy ended by itself"
        task.cancel()


def _rules(policy: EgressPolicy) -> TargetRules:
    """What the supervisor tells the dialer, from one policy alone."""
    upstream = () if policy.upstream is None else (policy.upstream.url.partition("://")[2],)
    return parse_rules(policy.ports, (*policy.fixed.values(), *upstream), ())


def to(port: int, **changes: Any) -> EgressPolicy:
    """A policy under which `shop.test` is the origin on this loopback port."""
    fields: dict[str, Any] = {"hosts": ALL, "fixed": {"shop.test": f"127.0.0.1:{port}"}}
    return EgressPolicy(**{**fields, **changes})


@dataclass
class Response:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]
    informational: list[int]
    reason: str

    @property
    def egress(self) -> str:
        """The reason the gateway gave, empty where it gave none."""
        return self.headers.get("pageworker-egress", "").partition("reason=")[2]


class Client:
    """A raw connection to a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> Response:
        """Send bytes and read one whole response."""
        self.writer.write(request)
        await self.writer.drain()
        return await self.answer(request.split(b" ", 1)[0])

    async def answer(self, method: bytes = b"GET") -> Response:
        """Read one whole response to a request with this method. Raises h11.RemoteProtocolError."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        informational: list[int] = []
        head: h11.Response | None = None
        body = b""
        while True:
            event = parser.next_event()
            match event:
                case h11.NEED_DATA:
                    parser.receive_data(await self.reader.read(65536))
                case h11.InformationalResponse():
                    informational.append(event.status_code)
                case h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    assert head is not None
                    return Response(
                        head.status_code,
                        _texts(head.headers),
                        body,
                        _texts(event.headers),
                        informational,
                        head.reason.decode(),
                    )
                case _:
                    raise EOFError(repr(event))

    async def ended(self) -> bool:
        """Whether the proxy has closed the connection, waiting for it."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    """A connection to the proxy on this port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def ask(port: int, request: bytes) -> Response:
    """One request on a connection of its own."""
    async with client(port) as connection:
        return await connection.ask(request)


def get(url: str, *headers: str) -> bytes:
    """A GET in absolute form."""
    host = url.split("/")[2]
    lines = [f"GET {url} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return "\r\n".join(lines).encode()
