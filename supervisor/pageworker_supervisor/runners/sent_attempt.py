"""One attempt on a runner: from the Run message to its end."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.runners.page_reservation import PageReservation


@dataclass
class ArtifactHandover:
    """An artifact that a runner handed over: a sealed memfd that is not read yet. Its holder closes it."""

    kind: str
    content_type: str
    descriptor: int

    def close(self) -> None:
        """Close the memfd. May be called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass
class SentAttempt:
    """What the supervisor knows of an attempt that was sent to a runner. Times are monotonic seconds."""

    attempt_id: str
    ref: JobRef
    page: PageReservation
    done: asyncio.Future[m.Done] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    sent_at: float = field(default_factory=time.monotonic)
    accepted_at: float | None = None
    started_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    on_accept: Callable[[], None] = lambda: None
    """Called when the handler begins."""
    memory_before_bytes: int = 0
    """What the runner used when it was measured last before the handler began."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something below may have changed."""
    delivery: ArtifactHandover | None = None
    """An artifact that was handed over and not taken yet."""
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    """Artifacts that are stored."""
    _offer: m.Offer | None = None
    _artifacts: int = 0
    _artifacts_bytes: int = 0

    @property
    def began_at(self) -> float:
        """When the handler began; when the attempt was sent, if it did not."""
        return self.accepted_at or self.sent_at

    def send(self, memory_before_bytes: int) -> None:
        """It goes to the runner now. `memory_before_bytes`: what the runner used when it was measured last."""
        self.memory_before_bytes = memory_before_bytes

    def accept(self) -> None:
        """The handler begins now."""
        self.accepted_at = time.monotonic()
        self.started_at = dt.datetime.now(dt.UTC)
        self.on_accept()

    def offer(self, offer: m.Offer) -> None:
        """The runner has an artifact and waits for a grant. An earlier offer is void. Raises OutputExceeded."""
        if self._artifacts >= m.MAX_ARTIFACTS:
            raise OutputExceeded(self._artifacts + 1, m.MAX_ARTIFACTS, "artifacts")
        if self._artifacts_bytes + offer.bytes > m.MAX_ARTIFACTS_BYTES:
            raise OutputExceeded(self._artifacts_bytes + offer.bytes, m.MAX_ARTIFACTS_BYTES, "bytes")
        self._offer = offer
        self.changed.set()

    def deliver(self, message: m.ArtifactData, descriptor: int) -> None:
        """The granted artifact arrives. Closes the descriptor in the end. Raises ProtocolViolation."""
        offer = self._offer
        if offer is None:
            os.close(descriptor)
            raise ProtocolViolation("an artifact that was not offered")
        try:
            size = memfd.sealed_bytes(descriptor, offer.bytes)
        except memfd.NotSealed as error:
            os.close(descriptor)
            raise ProtocolViolation(f"artifact: {error}") from error
        self._artifacts += 1
        self._artifacts_bytes += size
        self.discard()
        self._offer = None
        self.delivery = ArtifactHandover(message.kind, message.content_type, descriptor)
        self.changed.set()

    def is_open(self, offer: m.Offer) -> bool:
        """Whether the runner still waits for a grant of this offer, or has one and has not used it."""
        return self._offer is offer and not self.done.done()

    async def next_offer(self) -> m.Offer | None:
        """Wait for the next offer; None: the attempt has ended. A delivery that came too late is discarded."""
        while not self.done.done():
            self.discard()
            if self._offer is not None:
                return self._offer
            await self._change()
        return None

    def take_delivery(self) -> ArtifactHandover | None:
        """The artifact that arrived, or None. The caller closes it."""
        delivery, self.delivery = self.delivery, None
        return delivery

    def discard(self) -> None:
        """Close an artifact that arrived and was not taken."""
        if (delivery := self.take_delivery()) is not None:
            delivery.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds. It is checked after every change."""
        while not holds():
            await self._change()

    async def _change(self) -> None:
        self.changed.clear()
        await self.changed.wait()

    def end(self, done: m.Done) -> None:
        """The runner answered, or was killed. The first call counts: a kill may race with the runner's own answer."""
        if not self.done.done():
            self.done.set_result(done)
            self.changed.set()

    def lose(self, error: Exception) -> None:
        """No answer can come any more."""
        if not self.done.done():
            self.done.set_exception(error)
            self.changed.set()
