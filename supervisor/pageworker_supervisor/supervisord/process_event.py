"""What supervisord tells an event listener about a process, and how that is reported. Pure.

Source: the manual of supervisor, "Event Listener Notification Protocol" and "PROCESS_STATE Event Type".
"""

import datetime as dt
from typing import Any, Literal, NamedTuple

from msgspec import Struct

PREFIX = "PROCESS_STATE_"

ReportLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class UnreadableEvent(Exception):
    """What supervisord sent has not the form that its manual gives. Where the next event begins is not known."""


class EventHeader(NamedTuple):
    """The line before an event."""

    name: str
    """The kind of event, such as `PROCESS_STATE_EXITED`."""
    length: int
    """Bytes of the event."""


class ProcessChange(Struct, frozen=True):
    """A process has got another state. `process` is its name as in `supervisorctl`."""

    process: str
    state: str
    from_state: str
    expected: bool = False
    """Of `EXITED`: whether the exit code is one of `exitcodes`."""
    pid: int | None = None
    tries: int | None = None
    """Of `STARTING` and `BACKOFF`: failed starts so far."""


class Report(NamedTuple):
    """The level and the message of a log line.

    ERROR: the worker is gone until an operator acts. WARNING: supervisord acts by itself.
    """

    level: ReportLevel
    message: str


REPORTS = {
    "STARTING": Report("DEBUG", "process starts"),
    "RUNNING": Report("INFO", "process is up"),
    "BACKOFF": Report("WARNING", "process ended while it started: supervisord tries again"),
    "STOPPING": Report("INFO", "process was told to stop"),
    "STOPPED": Report("INFO", "process is stopped"),
    "FATAL": Report("ERROR", "process does not start: supervisord has given up"),
}
ENDED = Report("ERROR", "process ended by itself: supervisord does not start it again")
DIED = Report("WARNING", "process ended unexpectedly: supervisord starts it again")


def parse_header(untrusted_line: bytes) -> EventHeader:
    """Of `ver:3.0 … eventname:NAME len:54`. Raises UnreadableEvent."""
    words = _words(untrusted_line)
    name, length = words.get("eventname"), words.get("len", "")
    if not name or not length.isdecimal():
        raise UnreadableEvent(f"no eventname or len in {untrusted_line[:200]!r}")
    return EventHeader(name, int(length))


def parse_change(name: str, untrusted_event: bytes) -> ProcessChange | None:
    """The change of a process, None for another kind of event. Raises UnreadableEvent."""
    if not name.startswith(PREFIX):
        return None
    words = _words(untrusted_event)
    process, group, from_state = (words.get(key, "") for key in ("processname", "groupname", "from_state"))
    if not process or not group:
        raise UnreadableEvent(f"no processname or groupname in {untrusted_event[:200]!r}")
    return ProcessChange(
        process if process == group else f"{group}:{process}",
        name.removeprefix(PREFIX),
        from_state,
        expected=words.get("expected") == "1",
        pid=_number(words, "pid"),
        tries=_number(words, "tries"),
    )


def report_of(change: ProcessChange) -> Report:
    """What the log says."""
    if change.state == "EXITED":
        return ENDED if change.expected else DIED
    return REPORTS.get(change.state) or Report("ERROR", "supervisord does not know the state of the process")


def event_of(change: ProcessChange, host: str, at: dt.datetime) -> dict[str, Any] | None:
    """The event for `pw:events:_fleet`; None for a change that is nothing to worry about."""
    report = report_of(change)
    if report.level not in ("WARNING", "ERROR"):
        return None
    detail = {"host": host, "process": change.process, "state": change.state, "from_state": change.from_state}
    return {"event": "process_state", "at": at, "detail": {**detail, "reason": report.message}}


def _words(untrusted_text: bytes) -> dict[str, str]:
    """Of `key:value key:value`."""
    pairs = (word.partition(":") for word in untrusted_text.decode(errors="replace").split())
    return {key: value for key, _, value in pairs}


def _number(words: dict[str, str], key: str) -> int | None:
    return int(words[key]) if words.get(key, "").isdecimal() else None
