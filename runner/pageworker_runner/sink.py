"""The runner's end of an attempt's helpers."""

import re
from collections.abc import Mapping

from pageworker.sink import Level
from pageworker_runner.limits import LIMITS
from pageworker_runner.outbox import Outbox
from pageworker_runner.output import Lines
from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES, Artifact

KIND = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[A-Za-z0-9.+; =_-]{1,100}")


class AttemptSink:
    """Artifacts and lines of one attempt, within its limits. Closed once the result leaves."""

    def __init__(self, attempt: str, outbox: Outbox, lines: Lines) -> None:
        self._attempt = attempt
        self._outbox = outbox
        self._lines = lines
        self._artifacts = 0
        self._bytes = 0
        self._closed = False

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """See pageworker.Sink. Waits until the bytes have left, so that few are held at once."""
        if self._closed:
            raise ValueError("the attempt has ended")
        if self._artifacts >= LIMITS.artifacts:
            raise ValueError(f"an attempt keeps at most {LIMITS.artifacts} artifacts")
        if len(data) > MAX_ARTIFACT_BYTES:
            raise ValueError(f"an artifact has at most {MAX_ARTIFACT_BYTES} bytes, this has {len(data)}")
        if self._bytes + len(data) > LIMITS.artifacts_bytes:
            raise ValueError(f"the artifacts of an attempt have at most {LIMITS.artifacts_bytes} bytes together")
        if not KIND.fullmatch(kind):
            raise ValueError(f"the kind of an artifact is lower case, such as `invoice`, not {kind!r}")
        if not MEDIA_TYPE.fullmatch(content_type):
            raise ValueError(f"{content_type!r} is not a content type")
        self._artifacts += 1
        self._bytes += len(data)
        self.send(kind, data, content_type)
        await self._outbox.left()

    def send(self, kind: str, data: bytes, content_type: str) -> None:
        """Put checked bytes into the outbox."""
        descriptor = seal(data, f"{kind}")
        self._outbox.put(Artifact(attempt_id=self._attempt, kind=kind, content_type=content_type), [descriptor])

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """See pageworker.Sink."""
        self._lines.write(level, str(message), fields)

    def close(self) -> None:
        """The result leaves: a task that a module left behind may not speak for it any more."""
        self._closed = True
