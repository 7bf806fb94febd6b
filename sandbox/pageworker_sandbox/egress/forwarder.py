"""Forwards what comes from one stream to another one: both directions of a tunnel, or a body of known length.

Small transfers are read and written here. The kernel forwards large ones by itself (`kernel_splice`), once nothing
waits to be sent before them. Both ways count alike, and both stop the source while the sink does not read.
"""

import asyncio
from typing import TYPE_CHECKING

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.kernel_splice import KernelSplice, SpliceEnd, SpliceSlots

if TYPE_CHECKING:
    from pageworker_sandbox.egress.stream import Stream

LARGE_BYTES = 256 * 1024
"""A transfer is large once this number of bytes has come, if at least the same number is still to come."""
ENDED = "the connection ended"


class Forwarder:
    """One direction. The streams call it; they know it from `Stream.splice` or `Stream.pour` on."""

    def __init__(self, source: "Stream", sink: "Stream", slots: SpliceSlots | None, wanted: int | None = None) -> None:
        """`slots`: for large transfers; None: there are none. `wanted`: end after that many bytes, and do not pass on
        the source's end. None: forward to the end, which is passed on."""
        self.source = source
        self._sink = sink
        self._slots = slots
        self._wanted = wanted
        self._since_large = 0
        self._large: KernelSplice | None = None
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when all wanted bytes were forwarded. Has Disconnected if they cannot be."""

    @property
    def stuck(self) -> bool:
        """The sink does not read what the kernel forwards."""
        return self._large is not None and self._large.stuck

    def forward(self, data: bytes) -> bytes:
        """Forward bytes of the source, which are charged already. Returns those that are not wanted."""
        passed = data if self._wanted is None else data[: self._wanted]
        self._sink.forward(passed)
        self._since_large += len(passed)
        if self._wanted is not None:
            self._wanted -= len(passed)
        if not self._complete() and self._since_large >= LARGE_BYTES:
            self._begin_large()
        return data[len(passed) :]

    def source_ended(self) -> None:
        """The source sent its end."""
        if self._wanted is None:
            self._sink.end()
        else:
            self._fail(ENDED)

    def source_closed(self, reason: str | None) -> None:
        """The source's connection is closed on both sides."""
        self.end_large()
        if self._wanted is None:
            self._sink.close()
        else:
            self._fail(reason or ENDED)

    def sink_closed(self) -> None:
        """The sink's connection is closed on both sides."""
        self.end_large()
        self._fail(ENDED)

    def end_large(self) -> None:
        """Forward here again, from now on."""
        if self._large is None or self._slots is None:
            return
        large, self._large = self._large, None
        rest = large.stop()
        self._slots.give_back()
        # The source's end, if it has come, is read once more, and takes its usual way.
        self.source.resume()
        self._sink.write_charged(rest)
        self._complete()

    def _begin_large(self) -> None:
        self._since_large = 0
        if self._slots is None or (self._wanted is not None and self._wanted < LARGE_BYTES):
            return
        source, sink = self.source.plain_descriptor, self._sink.plain_descriptor
        if source is None or sink is None or not self._sink.drained or not self._slots.take():
            return
        self.source.pause()
        try:
            self._large = KernelSplice(source, sink, self._charge, self._on_end, self._wanted)
        except OSError:  # no descriptors are left
            self._slots.give_back()
            self.source.resume()

    def _charge(self, count: int) -> int:
        permitted = self._sink.charge_sent(self.source.charge_received(count))
        if self._wanted is not None:
            self._wanted -= permitted
        return permitted

    def _on_end(self, end: SpliceEnd) -> None:
        self.end_large()
        if end.unsuitable:
            self._slots = None
        if end.source_error:
            self.source.abort(end.source_error)
        elif end.sink_error:
            self._sink.abort(end.sink_error)
        elif end.over_budget:
            self.source.abort_over_budget()
            self._sink.abort_over_budget()

    def _complete(self) -> bool:
        if self._wanted != 0:
            return False
        self.source.pause()
        if not self.complete.done():
            self.complete.set_result(None)
        return True

    def _fail(self, reason: str) -> None:
        if self._wanted is not None and not self.complete.done():
            self.complete.set_exception(Disconnected(reason))
