"""The page that is measured: a program that serves it on a free port of loopback, until its stdin ends.

A list of products with a style sheet, two scripts and pictures. Each answer takes LATENCY_SECONDS, as on a network.
Started as `python -m pageworker_supervisor.sizing.site`; prints its port.
"""

import asyncio
import os
import socket
import struct
import sys
import threading
import zlib

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LATENCY_SECONDS = 0.1
PRODUCTS = 60
PICTURES = 12
PICTURE_PIXELS = 160
STYLE = "\n".join(f".p{n} {{ padding: {n % 7}px; color: hsl({n * 6}, 60%, 30%) }}" for n in range(PRODUCTS))
SCRIPT = """\
const list = document.querySelector("#reviews");
const words = "good bad fast slow small large red blue".split(" ");
const review = n => ({stars: (n * 7919) % 5, text: words[n % 8] + " " + words[(n * 31) % 8]});
const rows = Array.from({length: 400}, (_, n) => review(n));
rows.sort((a, b) => b.stars - a.stars || a.text.localeCompare(b.text));
for (const row of rows) {
    const item = document.createElement("li");
    item.textContent = `${row.stars} ${row.text}`;
    list.append(item);
}
document.title = `${document.querySelectorAll("article").length} products, ${list.getBoundingClientRect().height} px`;
"""


def page() -> str:
    """The HTML."""
    products = "".join(
        f'<article class="p{n}"><h2>Product {n}</h2><p class="price">{n * 3 % 97}.99 €</p>'
        f'<img src="/picture/{n % PICTURES}.png" width="{PICTURE_PIXELS}" height="{PICTURE_PIXELS}" alt="">'
        f"<p>{'A text about the product, as long as such texts are. ' * 8}</p></article>"
        for n in range(PRODUCTS)
    )
    head = '<meta charset="utf-8"><title>products</title><link rel="stylesheet" href="/style.css">'
    scripts = '<script src="/reviews.js"></script><script src="/later.js" defer></script>'
    return (
        f"<!doctype html><html><head>{head}</head><body><h1>Products</h1>{products}<ul id=reviews></ul>{scripts}</body>"
    )


def picture(number: int) -> bytes:
    """A PNG with some noise, so that it has to be decoded. Source: the PNG specification, RFC 2083."""
    size = PICTURE_PIXELS
    rows = b"".join(
        b"\0" + bytes((x * y * (number + 3) + x * 5) % 256 for x in range(size) for _ in range(3)) for y in range(size)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def contents() -> dict[str, tuple[bytes, str]]:
    """Body and media type by path."""
    found = {
        "/": (page().encode(), "text/html; charset=utf-8"),
        "/style.css": (STYLE.encode(), "text/css"),
        "/reviews.js": (SCRIPT.encode(), "text/javascript"),
        "/later.js": (b"performance.mark('done');", "text/javascript"),
        "/favicon.ico": (b"", "image/x-icon"),
    }
    return found | {f"/picture/{n}.png": (picture(n), "image/png") for n in range(PICTURES)}


async def serve(sock: socket.socket) -> None:
    """Serve until stdin ends."""
    known = contents()

    async def answer(request: Request) -> Response:
        await asyncio.sleep(LATENCY_SECONDS)
        body, media_type = known.get(request.url.path, (b"", "text/plain"))
        return Response(body, 200 if body else 404, media_type=media_type, headers={"Cache-Control": "no-store"})

    app = Starlette(routes=[Route("/{path:path}", answer)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    # The process ends at once, however many connections are open: nothing here has to be kept.
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    await server.serve(sockets=[sock])


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Print the port, then serve."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sys.stdout.write(f"{sock.getsockname()[1]}\n")
        sys.stdout.flush()
        asyncio.run(serve(sock))


if __name__ == "__main__":
    main()
