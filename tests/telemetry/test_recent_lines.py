"""The newest log lines are kept, within two bounds."""

import logging

import pytest

from pageworker_supervisor.telemetry.recent_lines import KeptLine, LineFilter, RecentLines


def texts(lines: RecentLines, after: int = 0) -> list[str]:
    return [line.text for line in lines.after(after)]


def test_the_newest_lines_are_kept() -> None:
    lines = RecentLines(most_lines=3)
    for number in range(5):
        lines.add(logging.INFO, f"line {number}\n")
    assert texts(lines) == ["line 2", "line 3", "line 4"]
    assert lines.dropped == 2
    assert [line.number for line in lines.after(0)] == [3, 4, 5]
    assert texts(lines, after=4) == ["line 4"]
    assert texts(lines, after=5) == []


def test_the_bytes_are_bounded_too() -> None:
    lines = RecentLines(most_bytes=10)
    for text in ("12345", "67890", "a"):
        lines.add(logging.INFO, text)
    assert texts(lines) == ["67890", "a"]
    lines.add(logging.INFO, "x" * 11)
    assert texts(lines) == []
    assert lines.dropped == 4
    lines.add(logging.INFO, "0123456789")
    assert texts(lines) == ["0123456789"]


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (LineFilter(), True),
        (LineFilter(level=logging.WARNING), True),
        (LineFilter(level=logging.ERROR), False),
        (LineFilter(since=100.0), True),
        (LineFilter(since=100.1), False),
        (LineFilter(job="acme/17"), True),
        (LineFilter(job="acme/1"), False),
        (LineFilter(job="b/17"), False),
    ],
)
def test_a_filter_holds_or_not(wanted: LineFilter, holds: bool) -> None:
    for text in ('{"message":"x","job":"acme/17"}', '{"tenant_id":"acme","job_id":"17","message":"x"}'):
        assert wanted.holds(KeptLine(1, 100.0, logging.WARNING, text)) is holds


def test_a_name_inside_a_text_is_not_the_job_of_the_line() -> None:
    line = KeptLine(1, 1.0, logging.INFO, '{"message":"\\"job\\":\\"acme/17\\"","job":"b/1"}')
    assert not LineFilter(job="acme/17").holds(line)
