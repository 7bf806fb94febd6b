"""Moves the bytes of a large transfer from one socket to another within the kernel, by splice(2).

A byte that this process reads and writes is copied three times. These copies are most of the processor time of a large
transfer. splice(2) moves the kernel's buffers from the socket into a pipe, and from the pipe into the other socket. The
number of bytes is known after the first step, so they are counted and limited as all others.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

PIPE_BYTES = 256 * 1024
"""Wanted size of the pipe. An unprivileged user may get less (pipe(7), pipe-user-pages-soft)."""
PIECE_BYTES = 256 * 1024
PIECES_PER_TURN = 8
"""Pieces that are moved before other connections get their turn."""
SMALL_BYTES = 16 * 1024
SMALL_PIECES = 16
"""A transfer that has brought more small pieces than this, one after another, is not large any more."""
FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
DESCRIPTORS = 4
"""Descriptors that one transfer uses."""


class SpliceSlots:
    """How many transfers of one runner may be spliced at the same time. Each one costs descriptors and a pipe."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self) -> bool:
        """Whether one was free. It is taken now, and must be given back."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """One is free again."""
        self._left += 1


@dataclass(frozen=True)
class SpliceEnd:
    """Why a transfer has ended by itself. At most one of these is set.

    None: it was no large transfer any more, its source has sent its last byte, or all wanted bytes have passed.
    """

    source_error: str = ""
    sink_error: str = ""
    over_budget: bool = False
    unsuitable: bool = False
    """The kernel moves nothing of what has come. It would be asked for ever."""


class KernelSplice:
    """One direction between two TCP sockets, from its creation on.

    The sockets stay their owner's, who neither reads the source nor writes to the sink meanwhile.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        charge: Callable[[int], int],
        on_end: Callable[[SpliceEnd], None],
        wanted: int | None = None,
    ) -> None:
        """`charge(count)`: that many bytes came; returns how many of them to pass on. `on_end`: called once, when it
        should be stopped. `wanted`: read no more bytes; None: all. Raises OSError if there are no descriptors left."""
        self._loop = asyncio.get_running_loop()
        self._charge = charge
        self._on_end = on_end
        self._wanted = wanted
        self._held = 0
        self._small = 0
        self._descriptors: list[int] = []
        try:
            # The loop permits no callback on the descriptor of a transport.
            self._source = self._keep(os.dup(source))
            self._sink = self._keep(os.dup(sink))
            self._pipe_out, self._pipe_in = map(self._keep, os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError:
            self._close()
            raise
        with suppress(OSError):
            fcntl.fcntl(self._pipe_in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._loop.add_reader(self._source, self._fill)
        self._waits_for_sink = False

    @property
    def stuck(self) -> bool:
        """The other side does not read what was sent."""
        return self._waits_for_sink

    def stop(self) -> bytes:
        """End. Returns the bytes that were charged and have not been sent yet, at most those of a pipe."""
        if not self._descriptors:
            return b""
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._sink)
        pieces = []
        while self._held:
            pieces.append(os.read(self._pipe_out, self._held))
            self._held -= len(pieces[-1])
        self._close()
        return b"".join(pieces)

    def _fill(self) -> None:
        for piece in range(PIECES_PER_TURN):
            try:
                most = PIECE_BYTES if self._wanted is None else min(PIECE_BYTES, self._wanted)
                count = os.splice(self._source, self._pipe_in, most, flags=FLAGS)
            except BlockingIOError:
                if piece == 0:
                    # There is something to read: an urgent byte (TCP), where splice(2) stops and recv(2) goes on.
                    self._on_end(SpliceEnd(unsuitable=True))
                return
            except OSError as error:
                self._on_end(SpliceEnd(source_error=str(error)))
                return
            if count == 0:
                self._on_end(SpliceEnd())
                return
            if self._wanted is not None:
                self._wanted -= count
            self._held = self._charge(count)
            if self._held < count:
                self._on_end(SpliceEnd(over_budget=True))
                return
            if not self._drain() or self._complete():
                return
            self._small = self._small + 1 if count < SMALL_BYTES else 0
            if self._small > SMALL_PIECES:
                self._on_end(SpliceEnd())
                return

    def _drain(self) -> bool:
        """Whether everything was sent."""
        try:
            while self._held:
                self._held -= os.splice(self._pipe_out, self._sink, self._held, flags=FLAGS)
        except BlockingIOError:
            if not self._waits_for_sink:
                self._waits_for_sink = True
                self._loop.remove_reader(self._source)
                self._loop.add_writer(self._sink, self._go_on)
            return False
        except OSError as error:
            self._held = 0
            self._on_end(SpliceEnd(sink_error=str(error)))
            return False
        return True

    def _complete(self) -> bool:
        if self._wanted == 0:
            self._on_end(SpliceEnd())
        return self._wanted == 0

    def _go_on(self) -> None:
        if self._drain() and not self._complete():
            self._waits_for_sink = False
            self._loop.remove_writer(self._sink)
            self._loop.add_reader(self._source, self._fill)

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def _close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())
