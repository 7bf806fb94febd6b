"""The site that browsers are measured against: a page of about 59 KB and eight files of about 298 KB, never cached.

`python -m bench.site FD` serves on an inherited listening socket. It is its own process: its CPU time counts for no
contender.
"""

import asyncio
import random
import socket
import struct
import sys
import zlib
from http import HTTPStatus
from typing import cast

import uvloop

FIELDS = 20
CARDS = 150
NOISE = random.Random(20_26)


def fields_of(number: int) -> dict[str, str]:
    """The fields that a visitor of page `number` must read."""
    return {f"f{field}": f"{field}/{number}" for field in range(FIELDS)}


def _card(position: int) -> str:
    # Every seventh card holds a field.
    value = f"{position // 7}/@PAGE@" if position % 7 == 0 and position // 7 < FIELDS else "9.99"
    prose = "The quick brown fox is not available in this size. " * 5
    return (
        f'<div class="card k{position}" id="card-{position}"><h3>Thing {position}</h3><p class="prose">{prose}</p>'
        f'<span class="price">{value}</span><a href="/p/{position}">see</a></div>\n'
    )


def _sheet(rules: int) -> bytes:
    lines = (f".k{n}{{padding:{n % 7}px;color:#{(n * 37) % 4096:03x};border-radius:{n % 6}px}}" for n in range(rules))
    return "\n".join(lines).encode()


def _script(name: str, functions: int) -> bytes:
    """Functions that are all parsed. Two of them run, one for a while, as in scripts of real pages."""
    lines = [f"function {name}{n}(m){{let t=0;for(let i=0;i<m;i++)t+=i*{n};return t}}" for n in range(functions)]
    run = f"for(let i=0;i<200;i++){name}1(500);document.body.dataset.{name}={name}2(9);"
    return "\n".join([*lines, run]).encode()


def _png(side: int) -> bytes:
    """A square of noise, which does not compress: about 3 × side² bytes. Source: PNG specification, §5 and §11."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + NOISE.randbytes(3 * side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


FILES: dict[str, tuple[str, bytes]] = {
    "/one.css": ("text/css", _sheet(560)),
    "/two.css": ("text/css", _sheet(375)),
    "/one.js": ("text/javascript", _script("a", 1270)),
    "/two.js": ("text/javascript", _script("b", 790)),
    "/three.js": ("text/javascript", _script("c", 475)),
    **{f"/{name}.png": ("image/png", _png(100)) for name in ("x", "y", "z")},
}
PAGE = (
    '<!doctype html><html><head><title>Page @PAGE@</title><link rel="stylesheet" href="/one.css">'
    '<link rel="stylesheet" href="/two.css"></head><body><img src="/x.png"><img src="/y.png"><img src="/z.png">\n'
    f"{''.join(map(_card, range(CARDS)))}"
    '<script src="/one.js"></script><script src="/two.js"></script><script src="/three.js"></script></body></html>'
)


def answer(path: str) -> bytes:
    """The whole response to GET `path`."""
    status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"no such page"
    if path in FILES:
        status, (kind, body) = HTTPStatus.OK, FILES[path]
    elif path.startswith("/p/"):
        status, kind = HTTPStatus.OK, "text/html; charset=utf-8"
        body = PAGE.replace("@PAGE@", path.removeprefix("/p/")).encode()
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


async def serve(sock: socket.socket) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(SiteConnection, sock=sock)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1]))))
