"""Accepts connections on a runner's listener, in a thread of its own.

The runner still holds the listener that it passed. File status flags belong to the open file description (fcntl(2)), so
a hostile runner can clear O_NONBLOCK, accept the connection itself between our poll and our accept, and so block the
accepting thread. That thread serves this runner alone, and shutdown(2) unblocks it.

An accepted connection inherits the socket options of the listener, which the runner can set at any time. SO_LINGER is
the one that matters: close(2) would wait for the runner to read, up to that time, also on a non-blocking socket
(socket(7)).
"""

import asyncio
import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pageworker_sandbox.egress.errors import InvalidListener
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.wire.token_bucket import TokenBucket

_TRANSIENT = {errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.EPERM}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_SHUTDOWNS = 20
_SHUTDOWN_SECONDS = 0.1
_SEND_BUFFER_BYTES = 256 * 1024
_LINGER_OFF = struct.pack("ii", 0, 0)


def adopt(descriptor: int) -> socket.socket:
    """A socket object that owns an untrusted descriptor. Raises InvalidListener, and closes the descriptor then."""
    try:
        untrusted = socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise InvalidListener("the runner passed a descriptor that is not a socket") from error
    fit = (
        untrusted.family in (socket.AF_INET, socket.AF_INET6)
        and untrusted.type == socket.SOCK_STREAM
        and untrusted.proto == socket.IPPROTO_TCP
        and untrusted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    )
    if not fit:
        untrusted.close()
        raise InvalidListener("the runner passed a socket that is not a listening TCP socket")
    untrusted.setblocking(False)
    return untrusted


class Acceptor:
    """Puts accepted connections into `accepted`, and None once the listener cannot accept any more."""

    def __init__(self, listener: socket.socket, limits: EgressLimits) -> None:
        self.accepted: asyncio.Queue[socket.socket | None] = asyncio.Queue()
        self._listener = listener
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._slots = threading.Semaphore(limits.connections_per_runner)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="accept", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """A connection was closed, so another one may be accepted."""
        self._slots.release()

    async def close(self) -> None:
        """Stop accepting and close the listener, even if the caller is cancelled while it waits."""
        self._closing = True
        if not self._ended.is_set():
            os.eventfd_write(self._wake, 1)
            self._slots.release()
        # Repeatedly: the runner can call listen again before the thread has seen the shutdown.
        for _ in range(_SHUTDOWNS):
            if self._ended.is_set():
                break
            with suppress(OSError):  # it is shut down already
                self._listener.shutdown(socket.SHUT_RDWR)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SHUTDOWN_SECONDS):
                    await self._ended.wait()
        self._drop_accepted()

    def _end(self) -> None:
        """The thread has ended. Runs in the loop, so that no descriptor is closed while `close` uses it."""
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
        bucket = TokenBucket(self._limits.accepts_per_second, self._limits.connections_per_runner, time.monotonic())
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        try:
            while self._slots.acquire() and not self._closing:
                bucket.spend(1, time.monotonic())
                poll.poll(bucket.debt(time.monotonic()) * 1000)
                connection = self._accept()
                if connection is None:
                    break
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
                if not self._in_loop(self.accepted.put_nowait, connection):
                    connection.close()
        finally:
            self._in_loop(self.accepted.put_nowait, None)
            self._in_loop(self._end)

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
                    # Other connections must end first. Until then the backlog of the listener holds this one.
                    self._pause()
                elif error.errno not in _TRANSIENT:
                    return None

    def _pause(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.poll(100)

    def _in_loop(self, act: Callable[..., None], *arguments: object) -> bool:
        """Call it in the event loop. False: the loop has ended, and the process ends too."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, *arguments)
            return True
        return False
