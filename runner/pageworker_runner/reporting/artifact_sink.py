"""Where one attempt's helpers write to: artifacts and log lines, within the attempt's limits."""

import asyncio
import re
from collections.abc import Mapping

from pageworker.helpers import Level
from pageworker_runner.errors import OutputLimit
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.reporter import CapturedOutput, SendQueue
from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES, ArtifactData, Offer

KIND = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[A-Za-z0-9.+; =_-]{1,100}")


class AttemptSink:
    """The `pageworker.Sink` of one attempt. Closed when its result is sent."""

    def __init__(self, attempt_id: str, send_queue: SendQueue, lines: CapturedOutput) -> None:
        self._attempt_id = attempt_id
        self._send_queue = send_queue
        self._lines = lines
        self._artifacts = 0
        self._bytes = 0
        self._closed = False
        self._sending = asyncio.Lock()
        self._offers = 0
        self._granted: asyncio.Future[None] | None = None

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """See pageworker.Sink. Returns once the supervisor has accepted the bytes and they have been sent."""
        if self._closed:
            raise ValueError("The attempt has ended: an artifact can be stored only while its handler runs.")
        _check_limit("artifacts", self._artifacts + 1, LIMITS.artifacts, "An attempt may store at most {} artifacts.")
        _check_limit("bytes", len(data), MAX_ARTIFACT_BYTES, "An artifact may have at most {} bytes.")
        _check_limit(
            "bytes",
            self._bytes + len(data),
            LIMITS.artifacts_bytes,
            "All artifacts of an attempt together may have at most {} bytes.",
        )
        if not KIND.fullmatch(kind):
            raise ValueError(
                f"{kind!r} is not a valid kind of artifact: use 1 to 63 lower-case letters, digits, `_`, `.` and `-`, "
                "a letter first, such as `invoice`."
            )
        if not MEDIA_TYPE.fullmatch(content_type):
            raise ValueError(
                f"{content_type!r} is not a valid content type: use one such as `text/csv; charset=utf-8`."
            )
        self._artifacts += 1
        self._bytes += len(data)
        await self.send(kind, data, content_type)

    async def send(self, kind: str, data: bytes, content_type: str) -> None:
        """Offer checked bytes, and hand them over once the offer is granted."""
        async with self._sending:
            self._offers += 1
            self._granted = asyncio.get_running_loop().create_future()
            self._send_queue.put(Offer(attempt_id=self._attempt_id, number=self._offers, bytes=len(data)))
            await self._granted
            message = ArtifactData(attempt_id=self._attempt_id, kind=kind, content_type=content_type)
            self._send_queue.put(message, [seal(data, kind)])
            await self._send_queue.until_sent()

    def granted(self, number: int) -> None:
        """The supervisor accepts offer `number`. A grant of an offer that was given up is ignored."""
        if number == self._offers and self._granted is not None and not self._granted.done():
            self._granted.set_result(None)

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """See pageworker.Sink."""
        self._lines.write(level, str(message), fields)

    def close(self) -> None:
        """The result is about to be sent: a task that the module left running can store nothing more."""
        self._closed = True
        if self._granted is not None and not self._granted.done():
            self._granted.set_exception(ValueError("The attempt ended before its artifact was accepted."))


def _check_limit(unit: str, used: int, allowed: int, text: str) -> None:
    if used > allowed:
        raise OutputLimit(f"{text.format(allowed)} This would make {used}.", used=used, allowed=allowed, unit=unit)
