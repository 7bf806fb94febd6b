"""Accepting on a runner's listener, in a thread of its own.

A listener is shared with whoever passed it: file status flags belong to the open file description (fcntl(2)),
so a hostile runner can clear O_NONBLOCK on it, take the connection away between poll and accept, and leave
the accepting side blocked. Here that blocks one thread that serves nobody else; shutdown(2) frees it.
"""

import asyncio
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pageworker_sandbox.egress.errors import InvalidListener
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.wire.cpu_budget import TokenBucket

_TRANSIENT = {errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.EPERM}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_SHUTDOWNS = 20
_SHUTDOWN_SECONDS = 0.1
_SEND_BUFFER_BYTES = 256 * 1024


def adopt(descriptor: int) -> socket.socket:
    """A socket object for an untrusted descriptor, which it then owns. Raises InvalidListener, closing it."""
    try:
        untrusted = socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise InvalidListener("not a socket") from error
    fit = (
        untrusted.family in (socket.AF_INET, socket.AF_INET6)
        and untrusted.type == socket.SOCK_STREAM
        and untrusted.proto == socket.IPPROTO_TCP
        and untrusted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    )
    if not fit:
        untrusted.close()
        raise InvalidListener("not a listening TCP socket")
    untrusted.setblocking(False)
    return untrusted


class Acceptor:
    """Puts accepted connections into `accepted`, and None once the listener is of no use any more."""

    def __init__(self, listener: socket.socket, limits: EgressLimits) -> None:
        self.accepted: asyncio.Queue[socket.socket | None] = asyncio.Queue()
        self._listener = listener
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._slots = threading.Semaphore(limits.cell_connections)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="accept", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """A connection has been closed: another may be accepted."""
        self._slots.release()

    async def close(self) -> None:
        """Stop accepting and close the listener. What has to be done is done even if the wait is cancelled."""
        self._closing = True
        if not self._ended.is_set():
            os.eventfd_write(self._wake, 1)
            self._slots.release()
        # More than once: whoever shares the listener can listen on it again before the thread has looked.
        for _ in range(_SHUTDOWNS):
            if self._ended.is_set():
                break
            with suppress(OSError):  # shut down before
                self._listener.shutdown(socket.SHUT_RDWR)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SHUTDOWN_SECONDS):
                    await self._ended.wait()
        self._drop_accepted()

    def _end(self) -> None:
        """The thread is over. Here, in the loop, so that no descriptor is closed while `close` uses it."""
        self._listener.close()
        os.close(self._wake)
        if self._closing:
            self._drop_accepted()
        self._ended.set()

    def _drop_accepted(self) -> None:
        while not self.accepted.empty():
            if (connection := self.accepted.get_nowait()) is not None:
                connection.close()

    def _run(self) -> None:
        pace = TokenBucket(self._limits.accepts_per_second, self._limits.cell_connections, time.monotonic())
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        try:
            while self._slots.acquire() and not self._closing:
                pace.spend(1, time.monotonic())
                poll.poll(pace.debt(time.monotonic()) * 1000)
                connection = self._accept()
                if connection is None:
                    break
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
                if not self._tell(self.accepted.put_nowait, connection):
                    connection.close()
        finally:
            self._tell(self.accepted.put_nowait, None)
            self._tell(self._end)

    def _accept(self) -> socket.socket | None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        while True:
            ready = poll.poll()
            if any(descriptor == self._wake for descriptor, _ in ready):
                return None
            try:
                return self._listener.accept()[0]
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    # Connections of this process have to end first; the backlog keeps the newcomer.
                    self._rest()
                elif error.errno not in _TRANSIENT:
                    return None

    def _rest(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.poll(100)

    def _tell(self, act: Callable[..., None], *arguments: object) -> bool:
        """Have the loop do it. False: the loop is gone and the process ends."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, *arguments)
            return True
        return False
