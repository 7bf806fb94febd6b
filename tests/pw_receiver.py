"""A receiver of callbacks on loopback, with every bad habit that receivers have."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

RUNNING = b'{"code":409,"message":"The execution \\"7\\" is running already."}'
FINISHED = b'{"code":409,"message":"The execution \\"7\\" has finished already."}'


@dataclass(frozen=True)
class Received:
    """One POST."""

    at: float
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def job_id(self) -> str:
        return self.headers["idempotency-key"].partition(":")[2]


@dataclass
class Receiver:
    """What it does stands in the path: `/ok`, `/status/500`, `/then/500?times=2`, `/running?times=3`, `/finished`,
    `/slow`, `/reset`, `/silent`, `/endless`, `/drip`, `/redirect`, `/nonsense`. `hold` keeps `/slow` waiting.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    connections: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _seen: Counter[str] = field(default_factory=Counter)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def until(self, count: int, path: str = "/") -> list[Received]:
        """Wait until `count` POSTs have come to targets that begin with `path`."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.at(path)) >= count)
        return self.at(path)

    async def until_jobs(self, job_ids: Sequence[str], since: int) -> None:
        """Wait until every one of these jobs was either answered before `since` or has come after it."""
        answered = {each.job_id for each in self.received[:since] if each.target == "/ok"}
        async with self.arrived:
            await self.arrived.wait_for(
                lambda: set(job_ids) <= answered | {each.job_id for each in self.received[since:]}
            )

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.target.startswith(path)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rows = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        body = await reader.readexactly(int(headers["content-length"]))
        target = line.split(" ")[1]
        now = asyncio.get_running_loop().time()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        async with self.arrived:
            self.received.append(Received(now, target, headers, body))
            self.arrived.notify_all()
        try:
            return await self._answer(target, writer)
        finally:
            self._at_once -= 1

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> bool:
        parts = urlsplit(target)
        times = int(parse_qs(parts.query).get("times", ["1000000"])[0])
        self._seen[target] += 1
        due = self._seen[target] <= times
        match parts.path.strip("/").split("/"):
            case ["status", code]:
                return await _say(writer, int(code))
            case ["then", code] if due:
                return await _say(writer, int(code))
            case ["running"] if due:
                return await _say(writer, 409, RUNNING)
            case ["finished"]:
                return await _say(writer, 409, FINISHED)
            case ["slow"]:
                await self.hold.wait()
                return await _say(writer, 200)
            case ["silent"]:
                await asyncio.Event().wait()
            case ["reset"] if due:
                # Closing with a linger of 0 sends RST, see socket(7).
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case ["endless"]:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while not writer.is_closing():
                    writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                    await writer.drain()
            case ["drip"]:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
                await writer.drain()
                await asyncio.Event().wait()
            case ["redirect"]:
                writer.write(b"HTTP/1.1 307 T\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")
                return True
            case ["nonsense"]:
                writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                await writer.drain()
            case _:
                return await _say(writer, 200)
        return False


async def _say(writer: asyncio.StreamWriter, status: int, body: bytes = b"{}") -> bool:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    if status == 429:
        head += "Retry-After: 1\r\n"
    writer.write(head.encode() + b"\r\n" + body)
    await writer.drain()
    return True


@contextlib.asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """A running receiver."""
    made = Receiver()
    connections: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(tasks.create_task(made.serve(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", port)
        made.port = server.sockets[0].getsockname()[1]
        try:
            yield made
        finally:
            server.close()
            for connection in connections:
                connection.cancel()
