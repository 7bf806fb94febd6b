"""One attempt on a runner, between Run and Free."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation
from pageworker_supervisor.contract.job_ref import JobRef


@dataclass
class ArtifactHandover:
    """An artifact that a runner handed over: a sealed memfd, not read yet. Ours to close."""

    kind: str
    content_type: str
    descriptor: int

    def close(self) -> None:
        """The memfd is needed no more. May be called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass
class SentAttempt:
    """What is known of an attempt while it runs. Monotonic seconds."""

    attempt_id: str
    ref: JobRef
    done: asyncio.Future[m.Done] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    sent_at: float = field(default_factory=time.monotonic)
    accepted_at: float | None = None
    started_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    page: int | None = None
    on_accept: Callable[[], None] = lambda: None
    """Called when the handler begins."""
    memory_before_bytes: int = 0
    """What the runner used at the last look before it began."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something below may have changed."""
    delivery: ArtifactHandover | None = None
    _offer: m.Offer | None = None
    _artifacts: int = 0
    _artifacts_bytes: int = 0

    def accept(self, page: int) -> None:
        """The handler starts now."""
        self.accepted_at = time.monotonic()
        self.started_at = dt.datetime.now(dt.UTC)
        self.page = page
        self.on_accept()

    def offer(self, offer: m.Offer) -> None:
        """The runner has an artifact and asks for room; an offer before that it has given up. Raises OutputExceeded."""
        if self._artifacts >= m.MAX_ARTIFACTS:
            raise OutputExceeded(self._artifacts + 1, m.MAX_ARTIFACTS, "artifacts")
        if self._artifacts_bytes + offer.bytes > m.MAX_ARTIFACTS_BYTES:
            raise OutputExceeded(self._artifacts_bytes + offer.bytes, m.MAX_ARTIFACTS_BYTES, "bytes")
        self._offer = offer
        self.news.set()

    def deliver(self, message: m.ArtifactData, descriptor: int) -> None:
        """What was offered and granted comes; the descriptor is ours now. Raises ProtocolViolation."""
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
        self.news.set()

    def is_open(self, offer: m.Offer) -> bool:
        """Whether the runner still waits for its grant, or has it and has not used it."""
        return self._offer is offer and not self.done.done()

    async def next_offer(self) -> m.Offer | None:
        """Wait for it; None: the attempt has ended. A delivery whose time is over goes."""
        while not self.done.done():
            self.discard()
            if self._offer is not None:
                return self._offer
            await self._news()
        return None

    def take_delivery(self) -> ArtifactHandover | None:
        """What came, if it did; the caller's to close."""
        delivery, self.delivery = self.delivery, None
        return delivery

    def discard(self) -> None:
        """Close what came and nobody took."""
        if (delivery := self.take_delivery()) is not None:
            delivery.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for news until it is so."""
        while not holds():
            await self._news()

    async def _news(self) -> None:
        self.news.clear()
        await self.news.wait()

    def end(self, done: m.Done) -> None:
        """The attempt's end; a second one is ignored, as a kill may race with the runner's own answer."""
        if not self.done.done():
            self.done.set_result(done)
            self.news.set()

    def lose(self, error: Exception) -> None:
        """The attempt can have no answer any more."""
        if not self.done.done():
            self.done.set_exception(error)
            self.news.set()
