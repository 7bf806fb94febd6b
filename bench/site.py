"""The site that browsers are measured against: a page of about 59 KB and eight files of about 298 KB, never cached.
`mix.py` has a second page, of sixty requests.

`python -m bench.site FD [CERTIFICATE KEY]` serves on an inherited listening socket. It is its own process: its CPU time
counts for no contender.
"""

import asyncio
import random
import socket
import ssl
import sys
from http import HTTPStatus
from typing import cast

import uvloop

from bench import mix
from bench.page_parts import card, png, script, sheet

CARDS = 150
NOISE = random.Random(20_26)
PROSE = "The quick brown fox is not available in this size. " * 5

FILES: dict[str, tuple[str, bytes]] = {
    "/one.css": ("text/css", sheet(560)),
    "/two.css": ("text/css", sheet(375)),
    "/one.js": ("text/javascript", script("a", 1270)),
    "/two.js": ("text/javascript", script("b", 790)),
    "/three.js": ("text/javascript", script("c", 475)),
    **{f"/{name}.png": ("image/png", png(100, NOISE)) for name in ("x", "y", "z")},
}
PAGE = (
    '<!doctype html><html><head><title>Page @PAGE@</title><link rel="stylesheet" href="/one.css">'
    '<link rel="stylesheet" href="/two.css"></head><body><img src="/x.png"><img src="/y.png"><img src="/z.png">\n'
    f"{''.join(card(position, PROSE) for position in range(CARDS))}"
    '<script src="/one.js"></script><script src="/two.js"></script><script src="/three.js"></script></body></html>'
)


def answer(path: str) -> bytes:
    """The whole response to GET `path`."""
    status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"no such page"
    if (file := FILES.get(path) or mix.FILES.get(path)) is not None:
        status, (kind, body) = HTTPStatus.OK, file
    elif path.startswith("/p/"):
        status, kind = HTTPStatus.OK, "text/html; charset=utf-8"
        body = PAGE.replace("@PAGE@", path.removeprefix("/p/")).encode()
    elif path.startswith("/mix/"):
        status, kind = HTTPStatus.OK, "text/html; charset=utf-8"
        body = mix.PAGE.replace("@PAGE@", path.removeprefix("/mix/")).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    return head.encode() + body


class SiteConnection(asyncio.Protocol):
    """One connection. Requests have no body, so a blank line ends each."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods without being subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        *requests, self._waiting = (self._waiting + data).split(b"\r\n\r\n")
        for request in requests:
            self._transport.write(answer(request.split(b" ", 2)[1].decode("ascii")))


async def serve(sock: socket.socket, *files: str) -> None:
    """Serve until killed. `files`: of a certificate and its key, for TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if files else None
    if context is not None:
        context.load_cert_chain(*files)
    server = await asyncio.get_running_loop().create_server(SiteConnection, sock=sock, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1])), *sys.argv[2:]))
