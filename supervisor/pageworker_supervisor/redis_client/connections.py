"""redis-py's connections, with two flaws mended: on Python 3.11 they swallow cancellations, and on uvloop they do not
know a lost connection for one.

redis-py sends each command through `asyncio.wait_for`, which until Python 3.12 returns the result, and forgets the
cancellation, when both come in the same turn of the loop (python/cpython#86296). A command is sent within one turn, so
every cancellation that met a command being sent was lost: the task went on as if nobody had cancelled it.
`asyncio.timeout` has no such gap, and needs no task of its own for each command.

Writing to a transport that was closed meanwhile is an OSError, or nothing, on asyncio, and a RuntimeError on uvloop.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis import exceptions as rx
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

UVLOOP_CLOSED = "the handler is closed"


class Cancellable(AbstractConnection):
    """A connection on which sending can be cancelled."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """As redis-py's. Raises redis' TimeoutError where the peer reads nothing for `socket_timeout` seconds."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            ask: Any = self.check_health  # untyped in redis-py
            await ask()
        seconds, self.socket_timeout = self.socket_timeout, None  # without one, it sends in this task
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
    """Plain."""


class TlsConnection(Cancellable, SSLConnection):
    """TLS."""


class SocketConnection(Cancellable, UnixDomainSocketConnection):
    """Through a Unix socket."""


class PrimaryConnection(Cancellable, SentinelManagedConnection):
    """Plain, to the primary that the Sentinels name."""


class TlsPrimaryConnection(Cancellable, SentinelManagedSSLConnection):
    """TLS, to the primary that the Sentinels name."""
