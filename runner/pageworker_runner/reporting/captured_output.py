"""Lines that modules print or log, as LogLine messages of the attempt that wrote them."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from pageworker.helpers import Level
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_runner.task_ownership import CURRENT_ATTEMPT
from pageworker_sandbox.wire.messages import LogLine


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
        current = CURRENT_ATTEMPT.get()
        attempt_id = current if current in self._open else None
        key = attempt_id or ""
        self._counts[key] += 1
        if self._counts[key] > LIMITS.log_lines:
            if self._counts[key] == LIMITS.log_lines + 1 and attempt_id is not None:
                self._put(LogLine(attempt_id=attempt_id, level="warning", message=_more_lines()))
            return
        kept = fit_fields(fields or {}, count=32, value_chars=1024, total_chars=6000)
        self._put(LogLine(attempt_id=attempt_id, level=level, message=fit(text, LIMITS.line_chars), fields=kept))


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
