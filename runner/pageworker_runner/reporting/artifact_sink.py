"""The runner's end of an attempt's helpers."""

import asyncio
import re
from collections.abc import Mapping

from pageworker.sink import Level
from pageworker_runner.errors import OutputLimit
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.captured_output import CapturedOutput
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES, ArtifactData, Offer

KIND = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[A-Za-z0-9.+; =_-]{1,100}")


class AttemptSink:
    """Artifacts and lines of one attempt, within its limits. Closed once the result leaves."""

    def __init__(self, attempt: str, outbox: SendQueue, lines: CapturedOutput) -> None:
        self._attempt = attempt
        self._outbox = outbox
        self._lines = lines
        self._artifacts = 0
        self._bytes = 0
        self._closed = False
        self._sending = asyncio.Lock()
        self._offers = 0
        self._granted: asyncio.Future[None] | None = None

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """See pageworker.Sink. Waits until the supervisor has room for the bytes, and they have left."""
        if self._closed:
            raise ValueError("the attempt has ended")
        if self._artifacts >= LIMITS.artifacts:
            raise OutputLimit(
                f"an attempt keeps at most {LIMITS.artifacts} artifacts",
                used=self._artifacts + 1,
                allowed=LIMITS.artifacts,
                unit="artifacts",
            )
        if len(data) > MAX_ARTIFACT_BYTES:
            raise OutputLimit(
                f"an artifact has at most {MAX_ARTIFACT_BYTES} bytes, this has {len(data)}",
                used=len(data),
                allowed=MAX_ARTIFACT_BYTES,
                unit="bytes",
            )
        if self._bytes + len(data) > LIMITS.artifacts_bytes:
            raise OutputLimit(
                f"the artifacts of an attempt have at most {LIMITS.artifacts_bytes} bytes together",
                used=self._bytes + len(data),
                allowed=LIMITS.artifacts_bytes,
                unit="bytes",
            )
        if not KIND.fullmatch(kind):
            raise ValueError(f"the kind of an artifact is lower case, such as `invoice`, not {kind!r}")
        if not MEDIA_TYPE.fullmatch(content_type):
            raise ValueError(f"{content_type!r} is not a content type")
        self._artifacts += 1
        self._bytes += len(data)
        await self.send(kind, data, content_type)

    async def send(self, kind: str, data: bytes, content_type: str) -> None:
        """Offer checked bytes, and hand them over once they are granted."""
        async with self._sending:
            self._offers += 1
            self._granted = asyncio.get_running_loop().create_future()
            self._outbox.put(Offer(attempt_id=self._attempt, number=self._offers, bytes=len(data)))
            await self._granted
            descriptor = seal(data, f"{kind}")
            self._outbox.put(ArtifactData(attempt_id=self._attempt, kind=kind, content_type=content_type), [descriptor])
            await self._outbox.left()

    def granted(self, number: int) -> None:
        """The supervisor has room. A grant for an offer that was given up means nothing."""
        if number == self._offers and self._granted is not None and not self._granted.done():
            self._granted.set_result(None)

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """See pageworker.Sink."""
        self._lines.write(level, str(message), fields)

    def close(self) -> None:
        """The result leaves: a task that a module left behind may not speak for it any more."""
        self._closed = True
        if self._granted is not None and not self._granted.done():
            self._granted.set_exception(ValueError("the attempt has ended"))
