"""Console and requests of a page as small JSON, without credentials."""

import json
from typing import Any

from pageworker_runner.pages.page_summary import (
    MOST_LINES,
    TEXT_CHARS,
    URL_CHARS,
    ConsoleLine,
    SentRequest,
    console_summary,
    network_summary,
    shown_url,
)
from pageworker_runner.pages.redaction import Redaction

HIDDEN = Redaction(values=("geheim",))


def line(text: str, at_ms: float = 2500.0) -> ConsoleLine:
    return ConsoleLine(at_ms, "error", text, "https://u:p@shop.example/app.js", 7)


def read(summary: bytes) -> Any:
    return json.loads(summary)


def test_lines_have_their_time_since_the_handler_began_and_their_place() -> None:
    found = read(console_summary([line("no price")], ["TypeError: x"], 1000.0, HIDDEN))
    place = {"url": "https://shop.example/app.js", "line": 7}
    assert found["messages"] == [{"at_seconds": 1.5, "type": "error", "text": "no price", **place}]
    assert (found["uncaught_errors"], found["left_out"]) == (["TypeError: x"], 0)


def test_the_newest_lines_are_kept_and_long_ones_are_cut() -> None:
    lines = [line(f"{n}") for n in range(MOST_LINES + 5)] + [line("x" * 5000)]
    found = read(console_summary(lines, ["y" * 5000], 0.0, HIDDEN))
    assert (len(found["messages"]), found["left_out"]) == (MOST_LINES, 6)
    assert found["messages"][0]["text"] == "6"
    assert [len(found["messages"][-1]["text"]), len(found["uncaught_errors"][0])] == [TEXT_CHARS, TEXT_CHARS]


def test_half_an_emoji_does_not_lose_the_summary() -> None:
    assert read(console_summary([line("a\ud83d")], [], 0.0, HIDDEN))["messages"][0]["text"] == "a�"


def test_requests_have_their_status_or_why_they_have_none() -> None:
    sent = [
        SentRequest("GET", "document", "https://shop.example/", 404, None),
        SentRequest("POST", "fetch", "https://x.example/?key=geheim", None, "host_not_allowed"),
    ]
    found = read(network_summary(sent, "https://u:p@shop.example/", 404, HIDDEN))
    assert found["page"] == {"url": "https://shop.example/", "status": 404}
    assert found["requests"] == [
        {"method": "GET", "type": "document", "url": "https://shop.example/", "status": 404},
        {
            "method": "POST",
            "type": "fetch",
            "url": "https://x.example/?key=(hidden)",
            "status": None,
            "refused": "host_not_allowed",
        },
    ]
    assert found["without_answer"] == 1


def test_a_url_is_cut_and_has_no_password() -> None:
    assert shown_url("https://u:p@shop.example/a@b") == "https://shop.example/a@b"
    assert len(shown_url("data:text/html," + "x" * 10_000)) == URL_CHARS
