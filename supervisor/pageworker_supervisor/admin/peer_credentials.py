"""The user at the other end of a Unix socket. Source: unix(7), SO_PEERCRED."""

import asyncio
import os
import socket
import struct
from typing import cast

from pageworker_supervisor.admin.bounded_protocol import BoundedProtocol
from pageworker_supervisor.telemetry import log

CREDENTIALS = struct.Struct("3i")
PEER_UID = "peer_uid"
"""Name of the user id in the state of a request."""
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def peer_uid(sock: socket.socket) -> int:
    """The user id of the peer when it connected, as the kernel recorded it."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, uid, _ = CREDENTIALS.unpack(raw)
    return int(uid)


class OwnerOnly(BoundedProtocol):
    """The HTTP protocol for connections of root and of the worker's own user; others get 403.

    The mode of the socket file already excludes others. This check still holds if the mode was changed by mistake.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or answer 403."""
        # asyncio declares a BaseTransport. That of a stream is a Transport.
        connection = cast("asyncio.Transport", transport)
        uid = peer_uid(connection.get_extra_info("socket"))
        if uid in (0, os.geteuid()):
            self.app_state = {**self.app_state, PEER_UID: uid}
            super().connection_made(connection)
            return
        log.warning("control socket refused", uid=uid)
        self.transport = connection
        connection.write(REFUSAL)
        connection.close()
