"""An HTTP origin on loopback that records what it was sent, byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Origin:
    """Where it listens and what came: the heads of all requests, and how many connections."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read and record one request's head; empty at the end."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.heads.append(head)
        self.arrived.set()
        return head


@asynccontextmanager
async def serving(handler: Callable[[Origin], Handler]) -> AsyncIterator[Origin]:
    """An origin whose connections are handled by `handler(origin)`."""
    origin = Origin()
    handle = handler(origin)

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        origin.connections += 1
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            origin.closed.set()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()


def answering(response: bytes = OK) -> Callable[[Origin], Handler]:
    """Answers each bodyless request with the same bytes, on one connection as long as it lasts."""

    def handler(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await origin.head(reader):
                writer.write(response)
                await writer.drain()

        return handle

    return handler


def closing(response: bytes) -> Callable[[Origin], Handler]:
    """Answers one request with these bytes and closes."""

    def handler(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await origin.head(reader):
                writer.write(response)
                await writer.drain()

        return handle

    return handler
