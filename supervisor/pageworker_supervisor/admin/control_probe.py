"""Whether the worker's own control socket answers: part of the proof that the daemon works."""

import asyncio
from pathlib import Path

REQUEST = b"GET /status HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 "


async def control_answers(path: Path, seconds: float) -> bool:
    """Whether a request over this socket is answered within `seconds`, as `workerctl status` makes it."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(REQUEST)
                return await reader.readexactly(len(ANSWER)) == ANSWER
            finally:
                # Nothing is written any more, so nothing has to be waited for.
                writer.transport.abort()
    except (OSError, EOFError, TimeoutError):
        return False
