"""`python -m pw_flood PORT IDLE SLOW`: a local user's connections that ask for nothing, for ever.

Says `up` once all were open at some time. What is cut is opened again.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SLOW_SECONDS = 0.2
AGAIN_SECONDS = 0.5
HEAD = b"GET /status HTTP/1.1\r\nHost: localhost\r\nX: "


class Flood:
    """`opened` counts connections that were made."""

    def __init__(self, port: int, wanted: int) -> None:
        self._port = port
        self._wanted = wanted
        self.opened = 0
        self.up = asyncio.Event()

    async def idle(self) -> None:
        """One connection that says nothing."""
        while True:
            reader, writer = await self._open()
            await self._cut(reader)
            writer.close()
            await asyncio.sleep(AGAIN_SECONDS)

    async def slow(self) -> None:
        """One that sends a head byte by byte."""
        while True:
            reader, writer = await self._open()
            try:
                writer.write(HEAD)
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(SLOW_SECONDS)
            except ConnectionError:
                await asyncio.sleep(AGAIN_SECONDS)
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                pair = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self.opened += 1
            if self.opened >= self._wanted:
                self.up.set()
            return pair

    async def _cut(self, reader: asyncio.StreamReader) -> None:
        try:
            await reader.read(1)
        except ConnectionError:
            return


@asynccontextmanager
async def flood(port: int, *, idle: int, slow: int) -> AsyncIterator[None]:
    """From a process of its own, for the block."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    words = (sys.executable, "-m", "pw_flood", str(port), str(idle), str(slow))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"up\n"
        yield
        assert process.returncode is None
    finally:
        process.kill()
        await process.wait()


async def main(port: int, idle: int, slow: int) -> None:
    """Until it is killed."""
    some = Flood(port, idle + slow)
    async with asyncio.TaskGroup() as tasks:
        for number in range(idle + slow):
            tasks.create_task(some.idle() if number < idle else some.slow())
        await some.up.wait()
        print("up", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
