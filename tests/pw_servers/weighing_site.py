"""A site whose pages have known weights."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

BIG, HALF, SMALL = 4_000_000, 300_000, 5_000
"""Bytes of `/big`, `/half`, and any other page."""


@dataclass
class WeighingSite:
    """Pages by weight. `asked`: the paths in the order of their requests."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1].decode()
                self.asked.append(path)
                weight = {"/big": BIG, "/half": HALF}.get(path, SMALL)
                images = b"".join(b"<img src=/image%d>" % n for n in range(6)) if path == "/images" else b""
                body = b"<title>%s</title>%s<p>" % (path.encode(), images) + os.urandom(weight // 2).hex().encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            # Also if the loop ends before the other side has closed: to close TLS politely takes longer than it has.
            writer.transport.abort()


@asynccontextmanager
async def weighing_site(context: ssl.SSLContext | None) -> AsyncIterator[WeighingSite]:
    """A site on a port of this host."""
    site = WeighingSite()
    async with await asyncio.start_server(site.answer, "127.0.0.1", 0, ssl=context) as server:
        site.port = server.sockets[0].getsockname()[1]
        yield site
        server.close()
