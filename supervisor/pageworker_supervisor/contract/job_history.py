"""The history of a job as Redis keeps it: lines that the Lua file `queue/lua/history.lua` writes. Pure.

A line is `<code><time>[<facts>]`: one letter, milliseconds since the epoch in hexadecimal digits, JSON. The line
`*<number>` stands for lines that were dropped.
"""

import datetime as dt
import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.job_state import JobEvent
from pageworker_supervisor.contract.utc_time import utc_time

EVENT_CODES: dict[JobEvent, str] = {
    JobEvent.ENQUEUE: "q",
    JobEvent.ENQUEUE_LATER: "w",
    JobEvent.COME_DUE: "u",
    JobEvent.CLAIM: "c",
    JobEvent.BEGIN: "b",
    JobEvent.STORE: "s",
    JobEvent.FINISH: "f",
    JobEvent.RETRY: "r",
    JobEvent.CRASH: "k",
    JobEvent.REAP: "l",
    JobEvent.DEFER: "d",
    JobEvent.REQUEUE: "g",
    JobEvent.REASSIGN: "a",
    JobEvent.REASSIGN_LATER: "A",
    JobEvent.REQUEST_CANCEL: "n",
    JobEvent.CANCEL: "x",
    JobEvent.EXPIRE: "e",
    JobEvent.GIVE_UP: "p",
    JobEvent.REVIVE: "v",
}
"""One letter per event: a million waiting jobs have a history each."""

CallbackEvent = Literal["callback_delivered", "callback_later", "callback_failed"]
CALLBACK_CODES: dict[CallbackEvent, str] = {"callback_delivered": "D", "callback_later": "L", "callback_failed": "F"}

EVENT_WORDS = {
    "enqueue": "queued",
    "enqueue_later": "queued, delayed",
    "come_due": "due",
    "claim": "claimed",
    "begin": "handler began",
    "store": "handler ended, artifacts are being stored",
    "finish": "ended",
    "retry": "to be retried",
    "crash": "runner died",
    "reap": "worker lost",
    "defer": "deferred",
    "requeue": "requeued",
    "reassign": "moved to another context",
    "reassign_later": "moved to another context, delayed",
    "request_cancel": "cancellation sent to its worker",
    "cancel": "cancelled",
    "expire": "expired",
    "give_up": "given up",
    "revive": "retried from the dead letters",
    "callback_delivered": "callback delivered",
    "callback_later": "callback failed, to be repeated",
    "callback_failed": "callback given up",
}
"""What each event is called for people."""

_LINE = re.compile(r"([A-Za-z])([0-9a-f]{1,12})(\{.*\})?", re.ASCII)
_DROPPED = re.compile(r"\*([0-9]{1,15})", re.ASCII)
_EVENTS = {code: event.value for event, code in EVENT_CODES.items()} | {
    code: event for event, code in CALLBACK_CODES.items()
}


class AttemptUse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one attempt used, as its worker reported it: when the handler began, and again at its end.

    `config_version`: of the central configuration; 0: there is none. `secrets`: `NAME FORM OUTCOME`, never a value.
    `artifacts`: `KIND SHA256`. `proxy`: as in the result's `attempts`. `page`: its number in the runner.
    """

    attempt: int = 0
    module: str | None = None
    module_version: str | None = None
    module_digest: str | None = None
    config_version: int | None = None
    runner_id: str | None = None
    page: int | None = None
    proxy: str | None = None
    trace_id: str | None = None
    outcome: str | None = None
    error: str | None = None
    secrets: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    left_out: int = 0
    """How many secrets and artifacts are not listed."""


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One transition, or one thing that happened to the callback. `event`: a value of `JobEvent`, or a
    `CallbackEvent`; `dropped`: in place of `dropped` lines. `facts`: of the lease that it ended, or of the callback."""

    event: str
    at_ms: int | None = None
    dropped: int = 0
    facts: dict[str, Any] = {}

    @property
    def at(self) -> dt.datetime | None:
        """On Redis' clock. None: there is none."""
        return None if self.at_ms is None else utc_time(self.at_ms / 1000)


def parse_history(untrusted_text: bytes) -> list[HistoryLine]:
    """The lines in their order. A line that another version wrote, and that this one cannot read, is `unreadable`."""
    return [_line(line) for line in untrusted_text.decode(errors="replace").split("\n") if line]


def _line(untrusted_line: str) -> HistoryLine:
    if dropped := _DROPPED.fullmatch(untrusted_line):
        return HistoryLine(event="dropped", dropped=int(dropped[1]))
    read = _LINE.fullmatch(untrusted_line)
    if read is None or read[1] not in _EVENTS:
        return HistoryLine(event="unreadable", facts={"text": untrusted_line})
    facts: dict[str, Any] = {}
    if read[3]:
        try:
            facts = msgspec.json.decode(read[3], type=dict[str, Any])
        except UNREADABLE:
            facts = {"text": read[3]}
    return HistoryLine(event=_EVENTS[read[1]], at_ms=int(read[2], 16), facts=facts)
