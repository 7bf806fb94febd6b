"""What a page wrote to its console and which requests it sent, as JSON for people. Pure.

Both are small and bounded: entries are cut, and the oldest are left out. Credentials are hidden as in recordings.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pageworker.well_formed import well_formed
from pageworker_runner.pages.redaction import Redaction

MOST_LINES = 100
"""Console messages, and uncaught errors as many again."""
TEXT_CHARS = 1000
URL_CHARS = 500
_USER = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@")


@dataclass(frozen=True)
class ConsoleLine:
    """A message of the console. `at_ms`: milliseconds since the epoch. `url`, `line`: of the script that wrote it."""

    at_ms: float
    type: str
    text: str
    url: str
    line: int


@dataclass(frozen=True)
class SentRequest:
    """A request of a page. `status`: None, without an answer. `refused`: the egress gateway's reason, if it has one."""

    method: str
    type: str
    url: str
    status: int | None
    refused: str | None


def console_summary(lines: Sequence[ConsoleLine], errors: Sequence[str], began_ms: float, hidden: Redaction) -> bytes:
    """The newest console messages and uncaught errors, oldest first. `began_ms`: when the handler began."""
    messages = [
        {
            "at_seconds": round((line.at_ms - began_ms) / 1000, 3),
            "type": line.type,
            "text": _cut(line.text, TEXT_CHARS),
            "url": shown_url(line.url),
            "line": line.line,
        }
        for line in lines[-MOST_LINES:]
    ]
    summary = {
        "messages": messages,
        "uncaught_errors": [_cut(text, TEXT_CHARS) for text in errors[-MOST_LINES:]],
        "left_out": max(0, len(lines) - MOST_LINES) + max(0, len(errors) - MOST_LINES),
    }
    return _json(summary, hidden)


def network_summary(requests: Sequence[SentRequest], url: str, status: int | None, hidden: Redaction) -> bytes:
    """The newest requests, oldest first. `url` and `status`: of the document that the page shows."""
    summary = {
        "page": {"url": shown_url(url), "status": status},
        "requests": [
            {
                "method": each.method,
                "type": each.type,
                "url": shown_url(each.url),
                "status": each.status,
                **({"refused": each.refused} if each.refused else {}),
            }
            for each in requests
        ],
        "without_answer": sum(each.status is None for each in requests),
    }
    return _json(summary, hidden)


def shown_url(url: str, most_chars: int = URL_CHARS) -> str:
    """The URL without user and password, and cut: a `data:` URL may have megabytes."""
    return _cut(_USER.sub(r"\1", url), most_chars)


def _cut(text: str, most: int) -> str:
    text = well_formed(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _json(summary: dict[str, Any], hidden: Redaction) -> bytes:
    return msgspec.json.format(msgspec.json.encode(hidden.of(summary)), indent=1)
