"""Serves whole pages: over kept connections of asyncio, or by a server with threads."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer


async def answer_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: Callable[[str], tuple[bytes, bytes]]
) -> None:
    """Answer each request of a connection until the other side closes it. `page(path)`: content type and body."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            kind, body = page(head.split(b" ")[1].decode())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-store\r\n" % kind)
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        # The loop may end before the other side closes. A polite end of TLS would take longer than the loop lives.
        writer.transport.abort()


@contextmanager
def threaded(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve for the block. Gives the port."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
