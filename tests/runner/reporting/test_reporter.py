"""What the runner sends: everything in order, lines that name their attempt and are bounded, its own requests once."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting import reporter as module
from pageworker_runner.reporting.reporter import (
    MAX_REASON_CHARS,
    CapturedOutput,
    LoggingCapture,
    PrintCapture,
    Reporter,
    SendQueue,
)
from pageworker_runner.task_ownership import CURRENT_ATTEMPT
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ChannelClosed


class FakeChannel:
    """Takes messages while `open` is set; then it is closed if `lost`."""

    def __init__(self) -> None:
        self.sent: list[m.Message] = []
        self.open = asyncio.Event()
        self.lost = False

    async def send(self, message: m.Message, descriptors: Any) -> None:
        await self.open.wait()
        if self.lost:
            raise ChannelClosed("gone")
        for descriptor in descriptors:
            os.fstat(descriptor)
        self.sent.append(message)


def pong(number: int) -> m.Pong:
    return m.Pong(number=number)


def line(text: str) -> m.LogLine:
    return m.LogLine(attempt_id=None, level="info", message=text)


async def test_messages_leave_in_order_and_their_descriptors_are_closed() -> None:
    untyped = any_typed(channel := FakeChannel())
    queue = SendQueue(untyped)
    read, write = os.pipe()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(queue.run())
        queue.put(pong(1))
        queue.put(pong(2), [read, write])
        queue.put(pong(3))
        channel.open.set()
        await queue.until_sent()
        running.cancel()
    assert channel.sent == [pong(1), pong(2), pong(3)]
    for descriptor in (read, write):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


async def test_only_log_lines_are_dropped_when_the_supervisor_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_MESSAGES", 2)
    untyped = any_typed(channel := FakeChannel())
    queue = SendQueue(untyped)
    for number in range(3):
        queue.put(line(str(number)))
        queue.put(pong(number))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(queue.run())
        channel.open.set()
        await queue.until_sent()
        running.cancel()
    assert channel.sent == [line("0"), pong(0), pong(1), pong(2)]


async def test_an_empty_queue_is_sent() -> None:
    untyped = any_typed(FakeChannel())
    async with asyncio.timeout(1):
        await SendQueue(untyped).until_sent()


async def test_a_lost_channel_ends_it_and_closes_the_descriptor() -> None:
    untyped = any_typed(channel := FakeChannel())
    channel.lost = True
    channel.open.set()
    queue = SendQueue(untyped)
    read, write = os.pipe()
    os.close(write)
    queue.put(pong(1), [read])
    with pytest.raises(ChannelClosed):
        await queue.run()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)


class Capture:
    """A CapturedOutput, and the messages it sends."""

    def __init__(self) -> None:
        self.sent: list[m.LogLine] = []
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


class ListQueue:
    """A send queue that keeps its messages."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def put(self, message: m.Message, descriptors: Any = ()) -> None:
        self.sent.append(message)


@pytest.fixture
def queue() -> ListQueue:
    return ListQueue()


@pytest.fixture
def reporter(queue: ListQueue) -> Reporter:
    untyped = any_typed(queue)
    return Reporter(untyped)


def test_it_asks_to_be_retired_once(reporter: Reporter, queue: ListQueue) -> None:
    reporter.retire("pages", "x" * 10_000)
    reporter.retire("jobs", "another reason")
    assert queue.sent == [m.Retire(cause="pages", reason="x" * MAX_REASON_CHARS)]


def test_its_own_warnings_belong_to_no_attempt(reporter: Reporter, queue: ListQueue) -> None:
    token = CURRENT_ATTEMPT.set("a-1")
    reporter.lines.begin("a-1")
    reporter.warn("a page is replaced")
    CURRENT_ATTEMPT.reset(token)
    assert queue.sent == [m.LogLine(attempt_id=None, level="warning", message="a page is replaced")]


def test_installed_it_takes_what_is_printed_and_logged(
    reporter: Reporter, queue: ListQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.Logger("root")
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    token = CURRENT_ATTEMPT.set("a-1")
    reporter.lines.begin("a-1")
    reporter.install()
    print("printed")
    print("unfinished", end="", file=sys.stderr)
    root.info("logged")
    reporter.end("a-1")
    print("late")
    CURRENT_ATTEMPT.reset(token)
    assert [(line.attempt_id, line.level, line.message) for line in queue.sent] == [
        ("a-1", "info", "printed"),
        ("a-1", "info", "logged"),
        ("a-1", "warning", "unfinished"),
        (None, "info", "late"),
    ]
