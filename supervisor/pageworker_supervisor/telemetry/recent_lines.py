"""The newest log lines, kept in memory, so that `workerctl logs` works wherever the daemon's stdout goes. Pure."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from msgspec import Struct

MOST_LINES = 10_000
MOST_BYTES = 4 * 1024 * 1024
"""Lines beyond either bound push out the oldest ones."""


class KeptLine(Struct, frozen=True):
    """One line. `number`: counted from 1 since the start of the daemon. `at`: Unix seconds. `level`: as in logging."""

    number: int
    at: float
    level: int
    text: str


class LineFilter(Struct, frozen=True):
    """Which lines are meant. `level`: the lowest one. `since`: Unix seconds. `job`: TENANT/ID."""

    level: int = 0
    since: float = 0.0
    job: str | None = None

    def holds(self, line: KeptLine) -> bool:
        """Whether the line is meant."""
        return line.level >= self.level and line.at >= self.since and (self.job is None or _names(line.text, self.job))


class RecentLines:
    """A bounded list of log lines, each one JSON object. `dropped` counts lines that were pushed out."""

    def __init__(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = 0
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._lines: deque[KeptLine] = deque()
        self._bytes = 0
        self._last = 0

    def add(self, level: int, text: str) -> None:
        """Keep one line. A line that is larger than the whole list is only counted."""
        self._last += 1
        text = text.rstrip("\n")
        self._lines.append(KeptLine(self._last, time.time(), level, text))
        self._bytes += len(text)
        while len(self._lines) > self._most_lines or self._bytes > self._most_bytes:
            self._bytes -= len(self._lines.popleft().text)
            self.dropped += 1

    def after(self, number: int) -> Sequence[KeptLine]:
        """The lines behind this number, oldest first."""
        return tuple(self._newer(number))[::-1]

    def _newer(self, number: int) -> Iterator[KeptLine]:
        # A copy: modules' lines may be added by another thread.
        for line in reversed(self._lines.copy()):
            if line.number <= number:
                return
            yield line


def _names(text: str, job: str) -> bool:
    """Whether a line is about this job. Inside a JSON string, every quotation mark has a backslash."""
    tenant_id, _, job_id = job.partition("/")
    return f'"job":"{job}"' in text or (f'"tenant_id":"{tenant_id}"' in text and f'"job_id":"{job_id}"' in text)
