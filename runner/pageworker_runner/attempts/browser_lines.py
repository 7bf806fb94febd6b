"""Console messages and uncaught errors of pages, as lines in the log of the attempt that has the page."""

from collections import Counter
from collections.abc import Callable

from playwright.async_api import ConsoleMessage, Page, WebError

from pageworker.sink import Level
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.sanitize import fit
from pageworker_sandbox.wire.messages import BrowserLevel

ORDER: tuple[Level, ...] = ("debug", "info", "warning", "error")
LEVELS: dict[str, Level] = {
    "debug": "debug",
    "trace": "debug",
    "warning": "warning",
    "error": "error",
    "assert": "error",
}
"""Of console messages, by their type. Others (`log`, `info`, `table`, …) are of level info."""

WriteLine = Callable[[str, Level, str, dict[str, object]], None]
"""Attempt id, level, text, fields."""


class BrowserLines:
    """At most LIMITS.browser_lines of each attempt are written. Its last line says how many were left out."""

    def __init__(self, least: BrowserLevel, owner_of: Callable[[Page], str | None], write: WriteLine) -> None:
        """`owner_of` gives the attempt that has a page now; None: none, or more than one."""
        self._least = len(ORDER) if least == "off" else ORDER.index(least)
        self._owner_of = owner_of
        self._write = write
        self._counts: Counter[str] = Counter()

    def on_console(self, message: ConsoleMessage) -> None:
        """A page has written to its console."""
        level = LEVELS.get(message.type, "info")
        if ORDER.index(level) >= self._least and message.page is not None:
            self._line(message.page, level, message.text, f"console.{message.type}")

    def on_error(self, error: WebError) -> None:
        """A script of a page did not catch an error."""
        if error.page is not None:
            self._line(error.page, "error", str(error.error), "uncaught")

    def end(self, attempt_id: str) -> None:
        """The attempt is about to end."""
        left_out = self._counts.pop(attempt_id, 0) - LIMITS.browser_lines
        if left_out > 0:
            self._write(attempt_id, "warning", f"{left_out} more lines of its pages were left out", {})

    def _line(self, page: Page, level: Level, text: str, kind: str) -> None:
        attempt_id = self._owner_of(page)
        if attempt_id is None:
            return
        self._counts[attempt_id] += 1
        if self._counts[attempt_id] <= LIMITS.browser_lines:
            self._write(attempt_id, level, fit(text, LIMITS.browser_line_chars), {"kind": fit(kind, 64)})
