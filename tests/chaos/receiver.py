"""The callback receiver. It can be down, slow or refuse for a while, and counts what it accepted."""

import asyncio
import contextlib
import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

SECRET = b"callback secret of chaos"
RUNNING = b'{"code":409,"message":"The execution \\"7\\" is running already."}'


class ChaosReceiver:
    """An HTTP server for callbacks. `mode`: ok, slow, 500, 409 or down."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.port = 0
        self.accepted: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
        """By idempotency key: how often each body was answered with 200."""
        self.forged = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The callback URL."""
        return f"http://127.0.0.1:{self.port}/cb"

    def set_mode(self, mode: str) -> None:
        """Behave like this from now on."""
        self.mode = mode
        if mode == "down":
            for writer in list(self._writers):
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._writers.add(writer)
        try:
            while self.mode != "down":
                await self._exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value.strip() for name, _, value in (row.partition(":") for row in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        if self.mode == "slow":
            await asyncio.sleep(0.4)
        status, text = {"500": (500, b"{}"), "409": (409, RUNNING)}.get(self.mode, (200, b"{}"))
        if self.mode == "down":
            return
        if status == 200:
            # A worker's clock may be wrong by minutes. The check is whether the signature fits the time that it names.
            signed, _, digest = headers["pageworker-signature"].partition(",v1=")
            wanted = hmac.new(SECRET, signed.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest()
            self.forged += digest != wanted
            self.accepted[headers["idempotency-key"]][body] += 1
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()


@contextlib.asynccontextmanager
async def running_receiver() -> AsyncIterator[ChaosReceiver]:
    """A receiver on a free port. It runs until the block ends."""
    made = ChaosReceiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.set_mode("down")
