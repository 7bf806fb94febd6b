"""The last bytes that an untrusted process tree wrote to stdout and stderr."""

import asyncio
import os

TAIL_BYTES = 8192
PIPE_BYTES = 64 * 1024
FLOOD_SECONDS = 0.05
"""After a read that filled PIPE_BYTES, the pipe is read again this much later. That bounds the work for a flood."""


class OutputTail:
    """Reads a pipe whenever there is data and keeps the last TAIL_BYTES, so a writer never blocks on a full pipe."""

    def __init__(self, descriptor: int) -> None:
        """Owns the descriptor from now on. Must be called within a running loop."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._bytes = bytearray()
        self._watch()

    def __str__(self) -> str:
        return self._bytes.decode(errors="replace")

    def drain(self) -> None:
        """Read what has arrived. Closes the descriptor at the end of file."""
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, PIPE_BYTES)
        except BlockingIOError:
            return
        self._bytes = (self._bytes + data)[-TAIL_BYTES:]
        if not data:
            self.close()
        elif len(data) == PIPE_BYTES:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.call_later(FLOOD_SECONDS, self._watch)

    def _watch(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self.drain)

    def close(self) -> None:
        """Stop reading. May be called again."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
