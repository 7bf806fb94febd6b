"""Lines that modules print or log, as Log messages of the attempt they belong to."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from pageworker.sink import Level
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_runner.task_ownership import ATTEMPT
from pageworker_sandbox.wire.messages import LogLine


class CapturedOutput:
    """Turns lines into Log messages, so many an attempt."""

    def __init__(self, put: Callable[[LogLine], None]) -> None:
        self._put = put
        self._counts: Counter[str] = Counter()
        self._open: set[str] = set()

    def begin(self, attempt: str) -> None:
        """From now on lines may name this attempt."""
        self._open.add(attempt)

    def end(self, attempt: str) -> None:
        """The attempt's result leaves now: what comes later is nobody's."""
        self._open.discard(attempt)
        self._counts.pop(attempt, None)

    def write(self, level: Level, text: str, fields: Mapping[str, object] | None = None) -> None:
        """One line of the current task's attempt."""
        attempt = ATTEMPT.get()
        owner = attempt if attempt in self._open else None
        key = owner or ""
        self._counts[key] += 1
        if self._counts[key] > LIMITS.log_lines:
            if self._counts[key] == LIMITS.log_lines + 1 and owner is not None:
                self._put(LogLine(attempt_id=owner, level="warning", message="more lines were left out"))
            return
        kept = fit_fields(fields or {}, count=32, value_chars=1024, total_chars=6000)
        self._put(LogLine(attempt_id=owner, level=level, message=fit(text, LIMITS.line_chars), fields=kept))


class Printed(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr."""

    def __init__(self, lines: CapturedOutput, level: Level) -> None:
        self._lines = lines
        self._level = level
        self._partial: dict[str | None, str] = {}

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Whole lines leave; an unfinished one waits, up to a bound, for its end."""
        attempt = ATTEMPT.get()
        *whole, rest = (self._partial.pop(attempt, "") + text).split("\n")
        for line in whole:
            if line:
                self._lines.write(self._level, line)
        if len(rest) > LIMITS.line_chars:
            self._lines.write(self._level, rest)
        elif rest:
            self._partial[attempt] = rest
        return len(text)

    def finish(self, attempt: str) -> None:
        """The attempt ends: its last line has no end."""
        if rest := self._partial.pop(attempt, ""):
            self._lines.write(self._level, rest)


class Logged(logging.Handler):
    """Takes what modules and libraries log."""

    def __init__(self, lines: CapturedOutput) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """One record, one line, with its traceback where it has one."""
        level: Level = (
            "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "info"
        )
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of the standard library: a bad log call is told, not raised
            self.handleError(record)
        else:
            self._lines.write(level, text, {"logger": record.name})
