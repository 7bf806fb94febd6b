"""The fleet process: looks at the fleet, and serves what it sees."""

import socket
from collections.abc import Sequence

from pageworker_supervisor.admin.bounded_protocol import BoundedProtocol, ConnectionBounds
from pageworker_supervisor.admin.server import bind_tcp, connection_table, embedded_server, not_counted, serve_on
from pageworker_supervisor.scaling.fleet_api import fleet_app
from pageworker_supervisor.scaling.fleet_watch import FleetWatch
from pageworker_supervisor.task_supervision import run_forever

CONNECTIONS = 256
"""Prometheus, an autoscaler and probes need a handful."""


class FleetServer:
    """`open` binds the socket, so that a port in use is an error at the start."""

    def __init__(self, listener: socket.socket, watch: FleetWatch, allowed_hosts: Sequence[str]) -> None:
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._listener = listener
        self._watch = watch
        bounds = ConnectionBounds(connection_table(CONNECTIONS), not_counted)
        self._server = embedded_server(fleet_app(watch, allowed_hosts), BoundedProtocol, bounds)

    @classmethod
    def open(cls, bind: str, watch: FleetWatch, allowed_hosts: Sequence[str] = ()) -> "FleetServer":
        """Bind `host:port`. Requests may name that host, too. Raises OSError."""
        return cls(bind_tcp(bind, "--serve"), watch, (*allowed_hosts, bind.rpartition(":")[0]))

    async def run(self) -> None:
        """Look and serve until cancelled."""
        await run_forever({"watch": self._watch.run(), "http": serve_on(self._server, self._listener)})
