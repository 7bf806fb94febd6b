"""The site of the faults: small pages, a service worker, and a file of any size that is never held in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = bytes(256 * 1024)
WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", event => {
  if (!event.request.url.endsWith("/held")) return;
  event.waitUntil(new Promise(() => {}));
  event.respondWith(new Promise(() => setInterval(() => {}, 10)));
});
"""
"""Keeps the pages that ask for /held waiting, and itself alive."""
PAGES = {
    "/app": ("text/html", "<title>app</title>", ()),
    "/login": ("text/html", "<title>in</title>", ("Set-Cookie: user=anna; Max-Age=86400; Path=/",)),
    "/worker.js": ("text/javascript", WORKER, ()),
}
"""Content type, body and headers by path."""


@dataclass
class FaultOrigin:
    """What it has sent and was asked for."""

    large_bytes: int
    """Size of /large."""
    sent_bytes: int = 0
    """Of /large, so far."""
    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a job asks for /at-work: it is in the middle of its fault."""
    address: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.split(b" ", 2)[1].decode(), writer)
        writer.transport.abort()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/large":
            await self._send_large(writer)
            return
        if path == "/at-work":
            self.at_work.set()
        kind, body, headers = PAGES.get(path, ("text/plain", "", ()))
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", body]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    async def _send_large(self, writer: asyncio.StreamWriter) -> None:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {self.large_bytes}", "Content-Disposition: attachment", "", ""]
        writer.write("\r\n".join(lines).encode())
        for _ in range(self.large_bytes // len(CHUNK)):
            writer.write(CHUNK)
            await writer.drain()
            self.sent_bytes += len(CHUNK)


@asynccontextmanager
async def fault_origin(large_bytes: int) -> AsyncIterator[FaultOrigin]:
    """One on a free port, for the block."""
    origin = FaultOrigin(large_bytes)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield origin
    finally:
        server.close()
