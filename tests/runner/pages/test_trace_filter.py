"""A trace of the whole browser context becomes the trace of one job."""

import io
import json
import zipfile
from typing import Any

from pageworker_runner.pages.redaction import Redaction
from pageworker_runner.pages.trace_filter import EVENTS, NETWORK, own_pages, own_trace

SHA = "a" * 40
EVENT: list[dict[str, Any]] = [
    {"type": "context-options", "browserName": "chromium"},
    {"type": "event", "method": "page", "params": {"pageId": "page@1"}},
    {"type": "event", "method": "page", "params": {"pageId": "page@2"}},
    {"type": "before", "callId": "x@1", "method": "goto"},
    {"type": "before", "callId": "x@2", "method": "fill", "params": {"value": "of another job"}},
    {"type": "log", "callId": "x@2", "message": "of another job"},
    {"type": "frame-snapshot", "snapshot": {"callId": "x@1", "pageId": "page@1", "sha1": SHA}},
    {"type": "frame-snapshot", "snapshot": {"callId": "x@2", "pageId": "page@2", "html": "of another job"}},
    {"type": "event", "method": "page", "params": {"pageId": "page@3", "openerPageId": "page@1"}},
    {"type": "console", "pageId": "page@3", "text": "of a popup"},
    {"type": "console", "pageId": "page@2", "text": "of another job"},
    {"type": "screencast-frame", "pageId": "page@1", "file": "screencast/page@1-17.jpeg"},
    {"type": "screencast-frame", "pageId": "page@2", "file": "screencast/page@2-17.jpeg"},
    {"type": "after", "callId": "x@1"},
    {"type": "unheard", "text": "of another job"},
]
REQUESTS = [
    {"type": "resource-snapshot", "snapshot": {"pageref": "page@1", "file": f"resources/{SHA}.html"}},
    {"type": "resource-snapshot", "snapshot": {"pageref": "page@2", "file": "resources/other.html"}},
    {"type": "resource-snapshot", "snapshot": {"request": {"url": "of another job"}}},
]
FILES = {
    "screencast/page@1-17.jpeg": b"1",
    "screencast/page@2-17.jpeg": b"of another job",
    f"resources/{SHA}.html": b"2",
    "resources/other.html": b"of another job",
}


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        whole.writestr(EVENTS, lines(EVENT))
        whole.writestr(NETWORK, lines(REQUESTS))
        for name, data in FILES.items():
            whole.writestr(name, data)
    return buffer.getvalue()


def kept(redaction: Redaction) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(own_trace(archive(), {"x@1"}, "page@1", redaction))) as own:
        return {name: own.read(name) for name in own.namelist()}


def test_nothing_of_another_job_is_kept() -> None:
    files = kept(Redaction())
    assert [name for name, data in files.items() if b"of another job" in data] == []
    assert sorted(files) == [f"resources/{SHA}.html", "screencast/page@1-17.jpeg", NETWORK, EVENTS]


def test_everything_of_the_job_is_kept_in_its_order() -> None:
    events = [json.loads(line) for line in kept(Redaction())[EVENTS].splitlines()]
    assert events == [EVENT[index] for index in (0, 1, 3, 6, 8, 9, 11, 13)]


def test_secrets_are_hidden() -> None:
    assert b"of a popup" not in kept(Redaction(values=("of a popup",)))[EVENTS]


def test_a_page_that_the_job_opened_by_itself_is_its_own() -> None:
    snapshot = {"type": "frame-snapshot", "snapshot": {"callId": "x@1", "pageId": "page@9"}}
    assert own_pages([*EVENT, snapshot], {"x@1"}, "page@1") == {"page@1", "page@3", "page@9"}
