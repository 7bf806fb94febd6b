"""One side of an HTTP exchange on a socket whose other end a test has."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11

from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.wire.token_bucket import CpuBudget


@asynccontextmanager
async def http_side(
    role: type[h11.CLIENT] | type[h11.SERVER], limits: EgressLimits
) -> AsyncIterator[tuple[HttpSide, socket.socket]]:
    """The gateway's side as h11's CLIENT or SERVER, and the peer's socket."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: Stream(limits.buffer_bytes), sock=ours)
    with theirs:
        try:
            yield HttpSide(stream, role, limits, CpuBudget(1.0, 1.0, 0.001)), theirs
        finally:
            stream.abort("the test has ended")
            await stream.gone()
