"""Lines that modules print and log: each names its attempt, and no attempt writes without end."""

import logging
from collections.abc import Iterator

import pytest

from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.captured_output import CapturedOutput, LoggingCapture, PrintCapture
from pageworker_runner.task_ownership import CURRENT_ATTEMPT
from pageworker_sandbox.wire.messages import LogLine


class Capture:
    """A CapturedOutput, and the messages it sends."""

    def __init__(self) -> None:
        self.sent: list[LogLine] = []
        self.lines = CapturedOutput(self.sent.append)

    def report(self) -> list[tuple[str | None, str, str]]:
        return [(line.attempt_id, line.level, line.message) for line in self.sent]


@pytest.fixture
def capture() -> Iterator[Capture]:
    token = CURRENT_ATTEMPT.set("a-1")
    yield Capture()
    CURRENT_ATTEMPT.reset(token)


def test_a_line_names_its_attempt_only_while_the_attempt_is_open(capture: Capture) -> None:
    capture.lines.write("info", "before")
    capture.lines.begin("a-1")
    capture.lines.write("info", "during", {"count": 3})
    capture.lines.end("a-1")
    capture.lines.write("info", "after")
    assert capture.report() == [(None, "info", "before"), ("a-1", "info", "during"), (None, "info", "after")]
    assert capture.sent[1].fields == {"count": "3"}


def test_an_attempt_has_its_own_bound_and_one_line_reports_it(capture: Capture) -> None:
    capture.lines.begin("a-1")
    for number in range(LIMITS.log_lines + 5):
        capture.lines.write("info", str(number))
    assert len(capture.sent) == LIMITS.log_lines + 1
    assert capture.report()[-1] == (
        "a-1",
        "warning",
        f"more lines were left out: an attempt logs at most {LIMITS.log_lines}",
    )
    token = CURRENT_ATTEMPT.set("a-2")
    capture.lines.begin("a-2")
    capture.lines.write("info", "of the other attempt")
    CURRENT_ATTEMPT.reset(token)
    assert capture.report()[-1] == ("a-2", "info", "of the other attempt")


def test_lines_without_an_attempt_are_bounded_together_and_silently(capture: Capture) -> None:
    for number in range(LIMITS.log_lines + 5):
        capture.lines.write("info", str(number))
    assert len(capture.sent) == LIMITS.log_lines
    assert {line.attempt_id for line in capture.sent} == {None}


def test_print_sends_whole_lines_and_keeps_each_attempts_unfinished_one(capture: Capture) -> None:
    printed = PrintCapture(capture.lines, "info")
    capture.lines.begin("a-1")
    print("one\n\ntwo\nthr", end="", file=printed)
    token = CURRENT_ATTEMPT.set("a-2")
    print("other", end="", file=printed)
    CURRENT_ATTEMPT.reset(token)
    print("ee", file=printed)
    print("no end", end="", file=printed)
    printed.finish("a-1")
    printed.finish("a-1")
    assert [message for _, _, message in capture.report()] == ["one", "two", "three", "no end"]


def test_a_line_that_does_not_end_is_sent_in_pieces(capture: Capture) -> None:
    printed = PrintCapture(capture.lines, "info")
    print("x" * (LIMITS.line_chars + 1), end="", file=printed)
    assert [len(message) for _, _, message in capture.report()] == [LIMITS.line_chars]


@pytest.mark.parametrize(
    ("level", "sent"),
    [(logging.DEBUG, None), (logging.INFO, "info"), (logging.WARNING, "warning"), (logging.CRITICAL, "error")],
)
def test_records_keep_their_level_and_their_loggers_name(capture: Capture, level: int, sent: str | None) -> None:
    logger = logging.Logger("shop")
    logger.addHandler(LoggingCapture(capture.lines))
    logger.log(level, "%d offers", 3)
    assert capture.report() == ([] if sent is None else [(None, sent, "3 offers")])
    assert [line.fields for line in capture.sent] == ([] if sent is None else [{"logger": "shop"}])
