"""The two HTTP servers of the daemon: uvicorn as tasks of its TaskGroup, without signal handlers and access log."""

import asyncio
import contextlib
import errno
import math
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from starlette.types import ASGIApp
from uvicorn import Config, Server

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.admin.bounded_protocol import (
    ANSWER_SECONDS,
    HEAD_SECONDS,
    BoundedProtocol,
    ConnectionBounds,
    Dropped,
)
from pageworker_supervisor.admin.connection_limits import ConnectionLimits, ConnectionTable
from pageworker_supervisor.admin.control_api import control_app
from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.admin.drain_stream import RunningDrains
from pageworker_supervisor.admin.operator_api import operator_app
from pageworker_supervisor.admin.peer_credentials import OwnerOnly
from pageworker_supervisor.admin.status import WorkerControl
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.recent_lines import RecentLines

GRACE_SECONDS = 5
"""After this uvicorn cancels requests that still run. BoundedProtocol closes their connections earlier."""
BACKLOG = 2048
"""Connections that are not accepted yet; net.core.somaxconn limits it. Where it is full the kernel drops a probe's SYN,
and the probe sends it again a second later."""
BIND_MENDS = {
    errno.EADDRINUSE: "stop the program that listens there, or choose another port",
    errno.EADDRNOTAVAIL: "choose an address of this host, or 0.0.0.0 for all of them",
    errno.EACCES: "choose a port above 1023",
}
CONTROL_CONNECTIONS = 256
KEEP_ALIVE_SECONDS = 5
"""uvicorn closes an idle connection after this time."""
HTTP_CONNECTIONS = 4096


@dataclass(frozen=True)
class HttpBounds:
    """Limits of the operator's endpoints."""

    connections: int = HTTP_CONNECTIONS
    allowed_hosts: tuple[str, ...] = ()
    """Host headers that are allowed beside IP addresses and `localhost`."""
    head_seconds: float = HEAD_SECONDS
    answer_seconds: float = ANSWER_SECONDS


class Endpoints:
    """Both servers. `open` binds their sockets, so that a port in use is an error at the start."""

    def __init__(
        self,
        operator: socket.socket,
        control: socket.socket,
        worker: WorkerControl,
        metrics: Metrics,
        http: HttpBounds,
        recent_lines: RecentLines,
        decisions: Decisions,
    ) -> None:
        self.address: tuple[str, int] = operator.getsockname()[:2]
        """The address that `http.bind` got: its port may have been 0, which means any free port."""
        self._control_path = Path(control.getsockname())
        self._drains = RunningDrains()
        outside = ConnectionBounds(
            connection_table(http.connections),
            metrics.health.connection_dropped,
            http.head_seconds,
            http.answer_seconds,
        )
        inside = ConnectionBounds(
            connection_table(CONTROL_CONNECTIONS), not_counted, http.head_seconds, answer_seconds=None
        )
        self._servers = (
            (embedded_server(operator_app(worker, metrics, http.allowed_hosts), BoundedProtocol, outside), operator),
            (embedded_server(control_app(worker, self._drains, recent_lines, decisions), OwnerOnly, inside), control),
        )

    @classmethod
    def open(
        cls,
        bind: str,
        data_dir: Path,
        worker: WorkerControl,
        metrics: Metrics,
        http: HttpBounds | None = None,
        recent_lines: RecentLines | None = None,
        decisions: Decisions | None = None,
    ) -> "Endpoints":
        """Bind `bind` (host:port) and `<data_dir>/control.sock`. Raises OSError."""
        operator = bind_tcp(bind)
        try:
            control = bind_unix(control_path(data_dir))
        except OSError:
            operator.close()
            raise
        lines = recent_lines or RecentLines()
        return cls(operator, control, worker, metrics, http or HttpBounds(), lines, decisions or Decisions())

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            async with TaskGroup() as tasks:
                tasks.create_task(self._drains.run())
                for server, sock in self._servers:
                    tasks.create_task(serve_on(server, sock))
        finally:
            self._control_path.unlink(missing_ok=True)


class EmbeddedServer(Server):
    """uvicorn as a task of a program that handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals alone."""
        yield


def connection_table(connections: int) -> ConnectionTable[BoundedProtocol]:
    """A table of the open connections of one listener. It has a limit."""
    return ConnectionTable(ConnectionLimits(connections))


def not_counted(_: Dropped) -> None:
    """For a listener without a metric of dropped connections, such as the control socket, whose clients are trusted."""


def embedded_server(app: ASGIApp, protocol: type[BoundedProtocol], bounds: ConnectionBounds) -> EmbeddedServer:
    """A server of `app` with these bounds, for `serve_on`."""
    made = partial(protocol, bounds)
    return EmbeddedServer(
        Config(
            app,
            # uvicorn calls this once per connection.
            http=cast("type[asyncio.Protocol]", made),
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # In whole seconds, and later than BoundedProtocol, which counts what it closes.
            timeout_keep_alive=KEEP_ALIVE_SECONDS
            if bounds.idle_seconds is None
            else math.ceil(bounds.idle_seconds) + 1,
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=BACKLOG,
        )
    )


async def serve_on(server: EmbeddedServer, sock: socket.socket) -> None:
    """Serve a listening socket until cancelled, and close it."""
    try:
        await server.serve(sockets=[sock])
    finally:
        # uvicorn closes nothing when its main loop is cancelled.
        if server.started:
            await server.shutdown(sockets=[sock])
        sock.close()


def bind_tcp(bind: str, setting: str = "http.bind") -> socket.socket:
    """A listening socket on `host:port` or `[v6]:port`. Raises OSError that names the setting and the way to fix it."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise OSError(f"{setting} {bind}: {error.strerror}; {BIND_MENDS[errno.EADDRNOTAVAIL]}") from error
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        mend = BIND_MENDS.get(error.errno or 0, f"set {setting} to another address")
        raise OSError(error.errno, f"{setting} {bind}: {error.strerror}; {mend}") from error
    sock.setblocking(False)
    return sock


def bind_unix(path: Path) -> socket.socket:
    """A listening socket of mode 0600. Replaces one that no process serves. Raises OSError if a worker serves it."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError(f"{path} exists and is not a socket: move it away")
    if path.exists() and _answers(path):
        raise OSError(f"{path}: another worker uses this data folder; set worker.data_dir to a folder of its own")
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before bind: the kernel creates the file with the mode of the socket, so it is never open to others.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True
