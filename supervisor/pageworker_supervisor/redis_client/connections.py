"""redis-py's connections with two defects fixed: lost cancellations on Python 3.11, and lost connections on uvloop.

redis-py sends each command through `asyncio.wait_for`. Until Python 3.12, `wait_for` returns the result and drops the
cancellation when both arrive in the same turn of the event loop (python/cpython#86296). A command is sent within one
turn, so every cancellation during a send was lost, and the task went on. `asyncio.timeout` has no such defect, and
needs no task per command.

A write to a transport that was closed meanwhile raises OSError, or nothing, on asyncio, but RuntimeError on uvloop.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis import exceptions as rx
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

UVLOOP_CLOSED = "the handler is closed"


class Cancellable(AbstractConnection):
    """A connection on which a send can be cancelled."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """As in redis-py. Raises redis' TimeoutError if the peer reads nothing for `socket_timeout` seconds."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            ask: Any = self.check_health  # untyped in redis-py
            await ask()
        seconds, self.socket_timeout = self.socket_timeout, None  # without a timeout redis-py sends in this task
        try:
            async with asyncio.timeout(seconds):
                await super().send_packed_command(command, check_health=False)
        except TimeoutError:
            raise rx.TimeoutError("Timeout writing to socket") from None
        except RuntimeError as error:
            if UVLOOP_CLOSED not in str(error):
                raise
            raise rx.ConnectionError(f"Connection lost: {error}") from error
        finally:
            self.socket_timeout = seconds


class TcpConnection(Cancellable, Connection):
    """Without TLS."""


class TlsConnection(Cancellable, SSLConnection):
    """With TLS."""


class SocketConnection(Cancellable, UnixDomainSocketConnection):
    """Over a Unix socket."""


class PrimaryConnection(Cancellable, SentinelManagedConnection):
    """Without TLS, to the primary that the Sentinels name."""


class TlsPrimaryConnection(Cancellable, SentinelManagedSSLConnection):
    """With TLS, to the primary that the Sentinels name."""
