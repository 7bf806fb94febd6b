"""The schema checker that all tenants share: one process, started at the first check and again after its end."""

import asyncio
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import msgspec

from pageworker_supervisor.input_schema.check_apart import ANSWER_SECONDS, command
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.errors import CheckerEnded
from pageworker_supervisor.input_schema.messages import SchemaAnswer, SchemaCheck, SchemaKind, frame, take_frames


class _ConnectionLost(Exception):
    """The process has ended. `at_it`: it was at this check."""

    def __init__(self, *, at_it: bool) -> None:
        super().__init__()
        self.at_it = at_it


class _CheckerConnection(asyncio.Protocol):
    """The connection to one process. It answers in the order of the checks, so an answer is for the oldest one."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._open: deque[asyncio.Future[SchemaAnswer]] = deque()

    async def ask(self, check: SchemaCheck) -> SchemaAnswer:
        """The answer. Raises _ConnectionLost."""
        if self.lost or self._transport is None:
            raise _ConnectionLost(at_it=False)
        answer: asyncio.Future[SchemaAnswer] = asyncio.get_running_loop().create_future()
        self._open.append(answer)
        self._transport.write(frame(check))
        return await answer

    def close(self) -> None:
        """Nothing is asked or answered any more."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        # asyncio declares a BaseTransport. That of a stream is a Transport.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._buffer += data
        for body in take_frames(self._buffer):
            if not self.ready.done():
                self.ready.set_result(None)
                continue
            answer = self._open.popleft()
            if not answer.done():  # else its caller was cancelled
                answer.set_result(msgspec.msgpack.decode(body, type=SchemaAnswer))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(OSError("the schema checker did not start"))
            self.ready.exception()  # marked as seen: its caller may be gone
        for index, answer in enumerate(self._open):
            if not answer.done():
                answer.set_exception(_ConnectionLost(at_it=index == 0))
        self._open.clear()


@dataclass(frozen=True)
class _CheckerProcess:
    process: asyncio.subprocess.Process
    connection: _CheckerConnection

    async def end(self) -> int:
        """Its exit status, as subprocess reports it."""
        self.connection.close()
        if self.process.returncode is None:
            # No effect if it has ended, and is not reaped yet. Not self.process.kill(): Popen.send_signal() polls,
            # so it could reap the process itself, and asyncio's watcher would then report status 255.
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
        return await self.process.wait()


class SharedChecker:
    """Checks of all tenants, one after the other."""

    def __init__(self, limits: CheckLimits) -> None:
        self._limits = limits
        self._running: _CheckerProcess | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def check(
        self, sha256: str, schema: Callable[[], bytes], payload: bytes, kind: SchemaKind = "input"
    ) -> SchemaAnswer:
        """Check a payload against a schema of the bundle with this SHA-256. `schema` is called where it is not there.

        Raises CheckerEnded if the check ended the process. Raises OSError if the process does not start or does
        not answer.
        """
        while True:
            running = await self._started()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await running.connection.ask(SchemaCheck(sha256, payload, kind=kind))
                    if answer.unknown:
                        answer = await running.connection.ask(SchemaCheck(sha256, payload, schema(), kind))
                    return answer
            except TimeoutError as late:
                await running.end()
                raise OSError(f"the schema checker did not answer within {ANSWER_SECONDS:g} s") from late
            except _ConnectionLost as lost:
                status = await running.end()
                if lost.at_it:
                    raise CheckerEnded(status) from None

    async def close(self) -> None:
        """End the process. No other one is started."""
        self._closed = True
        async with self._starting:
            if self._running is not None:
                await self._running.end()

    async def _started(self) -> _CheckerProcess:
        async with self._starting:
            if self._closed:
                raise OSError("the worker stops")
            if self._running is None or self._running.connection.lost:
                self._running = await _start(self._limits)
            return self._running


async def _start(limits: CheckLimits) -> _CheckerProcess:
    """A process that is ready. Raises OSError."""
    ours, its = socket.socketpair()
    with its:
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(_CheckerConnection, sock=ours)
        except BaseException:
            ours.close()
            raise
        try:
            process = await asyncio.create_subprocess_exec(
                *command(limits), stdin=its.fileno(), stdout=its.fileno(), stderr=subprocess.DEVNULL, env={}, cwd="/"
            )
        except BaseException:
            connection.close()
            raise
    started = _CheckerProcess(process, connection)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.ready
    except BaseException:
        await asyncio.shield(started.end())
        raise
    return started
