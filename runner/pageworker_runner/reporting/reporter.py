"""What the runner sends: messages in order, lines of its modules, its own warnings, the request to be replaced.

Results are not reported here: attempts/executor.py puts them into the send queue. `end` only marks the last line that
belongs to an attempt.
"""

import asyncio
import io
import logging
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pageworker.sink import Level
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_runner.task_ownership import CURRENT_ATTEMPT
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.messages import LogLine, Message, Retire, RetireCause

MAX_WAITING_MESSAGES = 4000
"""A log line that comes while this many messages wait is dropped. No other message is."""
MAX_REASON_CHARS = 2000


class SendQueue:
    """Messages that wait for the channel. `put` never waits; one task sends."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._queue: deque[tuple[Message, Sequence[int]]] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Queue one message. The queue closes its descriptors once they are sent."""
        if isinstance(message, LogLine) and len(self._queue) >= MAX_WAITING_MESSAGES:
            return
        self._queue.append((message, descriptors))
        self._empty.clear()
        self._filled.set()

    async def until_sent(self) -> None:
        """Wait until everything in the queue has been sent."""
        await self._empty.wait()

    async def run(self) -> None:
        """Send until cancelled. Raises WireError."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                message, descriptors = self._queue[0]
                try:
                    await self._channel.send(message, descriptors)
                finally:
                    self._queue.popleft()
                    for descriptor in descriptors:
                        os.close(descriptor)
            self._empty.set()


class CapturedOutput:
    """Turns lines into LogLine messages, at most LIMITS.log_lines per attempt."""

    def __init__(self, put: Callable[[LogLine], None]) -> None:
        self._put = put
        self._counts: Counter[str] = Counter()
        self._open: set[str] = set()

    def begin(self, attempt_id: str) -> None:
        """From now on, lines may name this attempt."""
        self._open.add(attempt_id)

    def end(self, attempt_id: str) -> None:
        """The attempt's result is about to be sent. A line that comes later names no attempt."""
        self._open.discard(attempt_id)
        self._counts.pop(attempt_id, None)

    def write(self, level: Level, text: str, fields: Mapping[str, object] | None = None) -> None:
        """Send one line of the current task's attempt."""
        self._write(CURRENT_ATTEMPT.get(), "module", level, text, fields)

    def write_of_page(self, attempt_id: str, level: Level, text: str, fields: Mapping[str, object]) -> None:
        """Send one line of a page of this attempt."""
        if attempt_id in self._open:
            self._write(attempt_id, "browser", level, text, fields)

    def _write(
        self,
        current: str | None,
        source: Literal["module", "browser"],
        level: Level,
        text: str,
        fields: Mapping[str, object] | None,
    ) -> None:
        attempt_id = current if current in self._open else None
        key = attempt_id or ""
        self._counts[key] += 1
        if self._counts[key] > LIMITS.log_lines:
            if self._counts[key] == LIMITS.log_lines + 1 and attempt_id is not None:
                self._put(LogLine(attempt_id=attempt_id, level="warning", message=_more_lines()))
            return
        kept = fit_fields(fields or {}, count=32, value_chars=1024, total_chars=6000)
        line = fit(text, LIMITS.line_chars)
        self._put(LogLine(attempt_id=attempt_id, source=source, level=level, message=line, fields=kept))


def _more_lines() -> str:
    return f"more lines were left out: an attempt logs at most {LIMITS.log_lines}"


class PrintCapture(io.TextIOBase):
    """Replaces sys.stdout or sys.stderr."""

    def __init__(self, lines: CapturedOutput, level: Level) -> None:
        self._lines = lines
        self._level = level
        self._partial: dict[str | None, str] = {}
        """Per attempt, the line that has no end yet."""

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Send whole lines. Keep an unfinished one, up to LIMITS.line_chars, until its end is written."""
        attempt_id = CURRENT_ATTEMPT.get()
        *whole, rest = (self._partial.pop(attempt_id, "") + text).split("\n")
        for line in whole:
            if line:
                self._lines.write(self._level, line)
        if len(rest) > LIMITS.line_chars:
            self._lines.write(self._level, rest)
        elif rest:
            self._partial[attempt_id] = rest
        return len(text)

    def finish(self, attempt_id: str) -> None:
        """The attempt ends: send its unfinished line."""
        if rest := self._partial.pop(attempt_id, ""):
            self._lines.write(self._level, rest)


class LoggingCapture(logging.Handler):
    """Takes what modules and libraries log with `logging`."""

    def __init__(self, lines: CapturedOutput) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record as one line, with its traceback if it has one."""
        level: Level = (
            "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "info"
        )
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - as in the standard library's handlers: a wrong log call is printed, not raised
            self.handleError(record)
        else:
            self._lines.write(level, text, {"logger": record.name})


class Reporter:
    """Captures stdout, stderr and logging of this process, and sends them as log lines."""

    def __init__(self, send_queue: SendQueue) -> None:
        self.send_queue = send_queue
        self.lines = CapturedOutput(send_queue.put)
        self._printed = (PrintCapture(self.lines, "info"), PrintCapture(self.lines, "warning"))
        self._retiring = False

    def install(self) -> None:
        """From now on, what this process prints or logs becomes LogLine messages."""
        sys.stdout, sys.stderr = self._printed
        logging.getLogger().addHandler(LoggingCapture(self.lines))
        logging.getLogger().setLevel(logging.INFO)

    def end(self, attempt_id: str) -> None:
        """The attempt's result is about to be sent. Later lines do not name the attempt."""
        for printed in self._printed:
            printed.finish(attempt_id)
        self.lines.end(attempt_id)

    def warn(self, message: str) -> None:
        """Send a warning of the runner's own."""
        self.send_queue.put(LogLine(attempt_id=None, level="warning", message=fit(message, MAX_REASON_CHARS)))

    def retire(self, cause: RetireCause, reason: str) -> None:
        """Ask the supervisor to replace this runner. Only the first request is sent."""
        if not self._retiring:
            self._retiring = True
            self.send_queue.put(Retire(cause=cause, reason=fit(reason, MAX_REASON_CHARS)))
