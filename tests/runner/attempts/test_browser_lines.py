"""Console messages and errors of pages, as lines of a job."""

from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.attempts.browser_lines import BrowserLines
from pageworker_runner.limits import LIMITS
from pageworker_sandbox.wire.messages import BrowserLevel

Line = tuple[str, str, str, dict[str, object]]


def lines_of(least: BrowserLevel, written: list[Line], owners: dict[str, str]) -> BrowserLines:
    return BrowserLines(least, any_typed(owners.get), lambda *line: written.append(line))


def console(kind: str, text: str, page: Any = "page") -> Any:
    return SimpleNamespace(type=kind, text=text, page=page)


@pytest.mark.parametrize(
    ("least", "kinds"),
    [
        ("debug", ["debug", "log", "warning", "error", "assert"]),
        ("info", ["log", "warning", "error", "assert"]),
        ("warning", ["warning", "error", "assert"]),
        ("error", ["error", "assert"]),
        ("off", []),
    ],
)
def test_lines_from_their_level_on_join_the_log(least: BrowserLevel, kinds: list[str]) -> None:
    written: list[Line] = []
    lines = lines_of(least, written, {"page": "a"})
    for kind in ("debug", "log", "warning", "error", "assert"):
        lines.on_console(console(kind, kind))
    assert [text for _, _, text, _ in written] == kinds


def test_an_uncaught_error_is_an_error_of_its_pages_attempt() -> None:
    written: list[Line] = []
    lines = lines_of("error", written, {"page": "a"})
    lines.on_error(any_typed(SimpleNamespace(page="page", error="Error: boom")))
    assert written == [("a", "error", "Error: boom", {"kind": "uncaught"})]


def test_a_page_without_an_attempt_writes_nothing() -> None:
    written: list[Line] = []
    lines = lines_of("debug", written, {})
    lines.on_console(console("error", "late"))
    lines.on_console(console("error", "of no page", page=None))
    assert written == []


def test_each_attempt_has_so_many_lines_and_one_that_counts_the_rest() -> None:
    written: list[Line] = []
    lines = lines_of("error", written, {"page": "a", "other": "b"})
    for _ in range(LIMITS.browser_lines + 7):
        lines.on_console(console("error", "x" * 9000))
    lines.on_console(console("error", "y", page="other"))
    assert len(written) == LIMITS.browser_lines + 1
    assert {len(text) for attempt, _, text, _ in written if attempt == "a"} == {LIMITS.browser_line_chars}
    lines.end("a")
    lines.end("b")
    assert [line[:3] for line in written[-1:]] == [("a", "warning", "7 more lines of its pages were left out")]
