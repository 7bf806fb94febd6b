"""One attempt on a runner, between Run and Free."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_supervisor.contract.job_ref import JobRef


@dataclass(frozen=True)
class RawArtifact:
    """Bytes that a runner handed over; not stored yet."""

    kind: str
    content_type: str
    untrusted_data: bytes


@dataclass
class Running:
    """What is known of an attempt while it runs. Monotonic seconds."""

    attempt_id: str
    ref: JobRef
    done: asyncio.Future[m.Done] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    sent_at: float = field(default_factory=time.monotonic)
    accepted_at: float | None = None
    started_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    page: int | None = None
    artifacts: list[RawArtifact] = field(default_factory=list)
    on_accept: Callable[[], None] = lambda: None
    """Called when the handler begins."""

    def accept(self, page: int) -> None:
        """The handler starts now."""
        self.accepted_at = time.monotonic()
        self.started_at = dt.datetime.now(dt.UTC)
        self.page = page
        self.on_accept()

    def take_artifact(self, message: m.Artifact, descriptor: int) -> None:
        """Copy an artifact out of its memfd and close it. Raises ProtocolViolation past the limits."""
        try:
            data = memfd.read_sealed(descriptor, m.MAX_ARTIFACT_BYTES)
        except memfd.NotSealed as error:
            raise ProtocolViolation(f"artifact: {error}") from error
        finally:
            os.close(descriptor)
        held = sum(len(artifact.untrusted_data) for artifact in self.artifacts)
        if len(self.artifacts) >= m.MAX_ARTIFACTS or held + len(data) > m.MAX_ARTIFACTS_BYTES:
            raise ProtocolViolation("more artifacts than a job may leave")
        self.artifacts.append(RawArtifact(message.kind, message.content_type, data))

    def end(self, done: m.Done) -> None:
        """The attempt's end; a second one is ignored, as a kill may race with the runner's own answer."""
        if not self.done.done():
            self.done.set_result(done)

    def lose(self, error: Exception) -> None:
        """The attempt can have no answer any more."""
        if not self.done.done():
            self.done.set_exception(error)
