"""A plain client of a proxy, which says what a runner says."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h11

from pageworker_sandbox.wire.request_failure import MARK, RequestFailure, parse_line


@dataclass
class Response:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]
    informational: list[int]
    reason: str

    failure: RequestFailure | None = None
    """What the gateway says of a request that it did not carry out. None: this is an origin's response."""

    @property
    def egress(self) -> str:
        """The reason the gateway gave, empty if it gave none."""
        return "" if self.failure is None else self.failure.reason


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
        """Read one whole response to a request with this method. Raises h11.RemoteProtocolError.

        The gateway's answer to a request that failed is no HTTP, and the last one of its connection.
        """
        received = await self.reader.read(65536)
        if (failed := _failed(received)) is not None:
            assert await self.ended()
            return failed
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(received)
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


def _failed(received: bytes) -> Response | None:
    first, _, rest = received.partition(b"\r\n")
    line, _, rest = rest.partition(b"\r\n")
    mark, _, text = line.decode("latin-1").partition(" ")
    if mark != MARK:
        return None
    assert rest in (b"Content-Length: 0\r\n\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n")
    _, status, reason = first.decode().split(" ", 2)
    failure = parse_line(text)
    assert failure is not None
    return Response(int(status), {}, b"", {}, [], reason, failure)


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
