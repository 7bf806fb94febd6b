"""Serves an application on a free loopback port while a block runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from pageworker_sandbox.task_group import TaskGroup


class SignalFreeServer(uvicorn.Server):
    """Installs no signal handlers: the owner of the event loop has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def loopback_socket() -> socket.socket:
    """A listening socket on a free port of 127.0.0.1."""
    return socket.create_server(("127.0.0.1", 0))


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago. For servers that cannot be given a socket."""
    with loopback_socket() as sock:
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """Serve `app`. Yields the port."""
    sock = loopback_socket()
    server = SignalFreeServer(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    )
    async with TaskGroup() as tasks:
        # The socket listens already, so a client that connects before the server runs waits in the backlog.
        serving = tasks.create_task(server.serve(sockets=[sock]))
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await asyncio.wait([serving])
