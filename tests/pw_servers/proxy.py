"""A TCP proxy in front of one Redis that loses, delays or cuts traffic as a network does."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pw_servers.resp import PUSH, RespCutter, words
from pw_servers.standalone import RedisServer


@dataclass(eq=False)
class _Wire:
    """One client's connection and ours to the server; `asked` are commands that were not answered yet."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asked: deque[bytes] = field(default_factory=deque)

    def close(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class RespProxy:
    """Faults are switched on from the test and hold until `heal()`, but dropped replies are counted."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.replies = 0
        """Replies seen so far, over all connections."""
        self.dropped = asyncio.Event()
        """Set when a reply that was to be lost has been lost."""
        self._target = (host, port)
        self._wires: set[_Wire] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._delay_seconds = 0.0
        self._drop_in = 0
        self._drop_times = 0
        self._drop_word: bytes | None = None
        self._then_hang = False
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def open_connections(self) -> int:
        """Clients that are connected now."""
        return len(self._wires)

    def drop_reply(self, n: int = 1, command: str | None = None, *, times: int = 1, hang: bool = False) -> None:
        """Lose the nth reply from now, executed by the server, and cut that connection.

        `command`: count only replies to this command, by its first word. `times`: how many to lose from there on,
        each on the connection it comes on. `hang`: do not cut, say nothing.
        """
        self.dropped.clear()
        self._drop_times = times
        self._drop_in, self._drop_word, self._then_hang = n, command.upper().encode() if command else None, hang

    def delay(self, seconds: float) -> None:
        """Hold each batch of replies back for this time."""
        self._delay_seconds = seconds

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._refusing = True
        self.reset_connections()

    def stall(self) -> None:
        """Keep connections open and pass nothing: a network that swallows packets."""
        self._flowing.clear()

    def reset_connections(self) -> None:
        """Reset the connections that are open now; new ones work."""
        for wire in list(self._wires):
            wire.close()

    def heal(self) -> None:
        """End every fault."""
        self._delay_seconds, self._drop_in, self._refusing = 0.0, 0, False
        self._flowing.set()

    async def wait_idle(self) -> None:
        """Wait until no client is connected."""
        await self._idle.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, until either side ends it."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self._refusing:
                writer.transport.abort()
                return
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            wire = _Wire(writer, server_writer)
            self._wires.add(wire)
            self._idle.clear()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._upstream(wire, reader))
                    tasks.create_task(self._downstream(wire, server_reader))
            finally:
                wire.close()
                self._wires.discard(wire)
                if not self._wires:
                    self._idle.set()

    async def _upstream(self, wire: _Wire, reader: asyncio.StreamReader) -> None:
        cutter = RespCutter()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                wire.asked.extend(words(request)[0].upper() for request in cutter.feed(data))
                await self._flowing.wait()
                wire.server.write(data)
                await wire.server.drain()
        wire.close()

    async def _downstream(self, wire: _Wire, reader: asyncio.StreamReader) -> None:
        cutter = RespCutter()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                for reply in cutter.feed(data):
                    if self._is_lost(wire, reply):
                        self.dropped.set()
                        if self._then_hang:
                            continue
                        wire.client.close()  # not an abort: replies before this one arrive
                        wire.server.transport.abort()
                        return
                    wire.client.write(reply)
                await wire.client.drain()
        wire.close()

    def _is_lost(self, wire: _Wire, reply: bytes) -> bool:
        self.replies += 1
        asked = wire.asked.popleft() if wire.asked and reply[0] != PUSH else b""
        if self._drop_in == 0 or (self._drop_word is not None and asked != self._drop_word):
            return False
        self._drop_in -= 1
        if self._drop_in > 0:
            return False
        self._drop_times -= 1
        self._drop_in = int(self._drop_times > 0)
        return True


@contextlib.asynccontextmanager
async def resp_proxy(target: RedisServer | tuple[str, int]) -> AsyncIterator[RespProxy]:
    """A proxy for the block, on a free port of loopback."""
    host, port = ("127.0.0.1", target.port) if isinstance(target, RedisServer) else target
    proxy = RespProxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.heal()
        proxy.cut()
        await server.wait_closed()
        await proxy.wait_idle()
