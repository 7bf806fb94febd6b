"""What supervisord sends is read as its manual says, and each change has its line and, if it is one, its event."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.supervisord.process_event import (
    ProcessChange,
    UnreadableEvent,
    event_of,
    parse_change,
    parse_header,
    report_of,
)

# From the manual of supervisor.
HEADER = (
    b"ver:3.0 server:supervisor serial:21 pool:listener poolserial:10 eventname:PROCESS_COMMUNICATION_STDOUT len:54\n"
)
EXITED = b"processname:cat groupname:cat from_state:RUNNING expected:0 pid:2766"
BACKOFF = b"processname:cat groupname:cats from_state:STOPPED tries:0"
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def test_the_header_of_the_manual_is_read() -> None:
    assert parse_header(HEADER) == ("PROCESS_COMMUNICATION_STDOUT", 54)


@pytest.mark.parametrize("line", [b"\n", b"len:3\n", b"eventname:TICK_5\n", b"eventname:TICK_5 len:-1\n", b"\xff\n"])
def test_another_line_is_no_header(line: bytes) -> None:
    with pytest.raises(UnreadableEvent, match="eventname or len"):
        parse_header(line)


def test_an_exit_is_read() -> None:
    change = parse_change("PROCESS_STATE_EXITED", EXITED)
    assert change == ProcessChange("cat", "EXITED", "RUNNING", expected=False, pid=2766)
    again = parse_change("PROCESS_STATE_EXITED", EXITED.replace(b"expected:0", b"expected:1"))
    assert again is not None
    assert again.expected


def test_a_process_of_a_group_is_named_as_in_supervisorctl() -> None:
    assert parse_change("PROCESS_STATE_BACKOFF", BACKOFF) == ProcessChange("cats:cat", "BACKOFF", "STOPPED", tries=0)


def test_other_events_are_no_change() -> None:
    assert parse_change("TICK_60", b"when:1201063880") is None


def test_a_change_without_a_process_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent, match="processname"):
        parse_change("PROCESS_STATE_EXITED", b"from_state:RUNNING")


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error_of_another_kind(data: bytes) -> None:
    for parse in (lambda: parse_header(data), lambda: parse_change("PROCESS_STATE_EXITED", data)):
        try:
            parse()
        except UnreadableEvent:
            continue


@pytest.mark.parametrize(
    ("state", "expected", "level", "words", "published"),
    [
        ("STARTING", False, "DEBUG", "starts", False),
        ("RUNNING", False, "INFO", "is up", False),
        ("STOPPING", False, "INFO", "told to stop", False),
        ("STOPPED", False, "INFO", "is stopped", False),
        ("BACKOFF", False, "WARNING", "tries again", True),
        ("EXITED", False, "WARNING", "starts it again", True),
        ("EXITED", True, "ERROR", "does not start it again", True),
        ("FATAL", False, "ERROR", "given up", True),
        ("UNKNOWN", False, "ERROR", "does not know", True),
    ],
)
def test_each_state_has_its_line(state: str, expected: bool, level: str, words: str, published: bool) -> None:
    change = ProcessChange("pageworker", state, "RUNNING", expected=expected)
    report = report_of(change)
    assert (report.level, words in report.message) == (level, True)
    event = event_of(change, "host1", NOW)
    if not published:
        assert event is None
        return
    assert event is not None
    assert (event["event"], event["at"]) == ("process_state", NOW)
    assert event["detail"] == {
        "host": "host1",
        "process": "pageworker",
        "state": state,
        "from_state": "RUNNING",
        "reason": report.message,
    }
