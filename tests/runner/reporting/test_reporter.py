"""What the runner reports of itself."""

import logging
import sys
from typing import Any

import pytest

from pageworker_runner.reporting.reporter import MAX_REASON_CHARS, Reporter
from pageworker_runner.task_ownership import CURRENT_ATTEMPT
from pageworker_sandbox.wire import messages as m


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
    untyped: Any = queue
    return Reporter(untyped)


def test_it_asks_to_be_retired_once(reporter: Reporter, queue: ListQueue) -> None:
    reporter.retire("x" * 10_000)
    reporter.retire("another reason")
    assert queue.sent == [m.Retire(reason="x" * MAX_REASON_CHARS)]


def test_its_own_warnings_belong_to_no_attempt(reporter: Reporter, queue: ListQueue) -> None:
    token = CURRENT_ATTEMPT.set("a-1")
    reporter.lines.begin("a-1")
    reporter.warn("a page is replaced")
    CURRENT_ATTEMPT.reset(token)
    assert queue.sent == [m.LogLine(attempt_id=None, level="warning", message="a page is replaced")]


def test_a_listeners_error_is_a_line_of_the_attempt_that_registered_it(reporter: Reporter, queue: ListQueue) -> None:
    token = CURRENT_ATTEMPT.set("a-1")
    reporter.lines.begin("a-1")
    reporter.listener_failed(ValueError("no file /etc/x"))
    CURRENT_ATTEMPT.reset(token)
    (line,) = queue.sent
    assert (line.attempt_id, line.level) == ("a-1", "error")
    assert line.message == "An event listener raised ValueError: no file <path>"


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
