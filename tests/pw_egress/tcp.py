"""Connected TCP sockets and streams on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.stream import Stream

MEBI = 1024 * 1024
BUFFER = 64 * 1024


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection, which do not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@asynccontextmanager
async def tcp_stream(meter: Meter | None = None) -> AsyncIterator[tuple[Stream, socket.socket]]:
    """A stream, and the socket of its peer."""
    with connected() as (ours, theirs):
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: Stream(BUFFER, meter), sock=ours)
        try:
            yield made, theirs
        finally:
            made.abort("the test has ended")
            await made.gone()


async def received(sock: socket.socket, count: int) -> bytes:
    """The next bytes, or fewer if there is an end before."""
    data = bytearray()
    async with asyncio.timeout(30):
        while len(data) < count and (piece := await asyncio.get_running_loop().sock_recv(sock, count - len(data))):
            data += piece
    return bytes(data)
