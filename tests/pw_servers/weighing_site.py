"""A site whose pages have known weights."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from pw_servers.pages import answer_all

BIG, HALF, SMALL = 4_000_000, 300_000, 5_000
"""Bytes of `/big`, `/half`, and any other page."""


@dataclass
class WeighingSite:
    """Pages by weight. `asked`: the paths in the order of their requests."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    def page(self, path: str) -> tuple[bytes, bytes]:
        """Content type and body."""
        self.asked.append(path)
        weight = {"/big": BIG, "/half": HALF}.get(path, SMALL)
        images = b"".join(b"<img src=/image%d>" % n for n in range(6)) if path == "/images" else b""
        # A comment, since a browser lays out no comment: as text, /big took 3 s of processor time.
        ballast = b"<!--%s-->" % os.urandom(weight // 2).hex().encode()
        return b"text/html", b"<title>%s</title>%s%s" % (path.encode(), images, ballast)


@asynccontextmanager
async def weighing_site(context: ssl.SSLContext | None) -> AsyncIterator[WeighingSite]:
    """A site on a port of this host."""
    site = WeighingSite()
    async with await asyncio.start_server(partial(answer_all, page=site.page), "127.0.0.1", 0, ssl=context) as server:
        site.port = server.sockets[0].getsockname()[1]
        yield site
        server.close()
