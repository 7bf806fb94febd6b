"""Keeps of a trace what belongs to one job. Pure.

Playwright records a trace of a whole browser context, which other jobs use at the same time. A trace is a zip:
`trace.trace` and `trace.network` with one JSON event per line, and files that the events name. Source: the trace
recorder of Playwright's driver (packages/playwright-core/src/server/trace/recorder/tracing.ts, version 10).
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Set
from typing import Any

import msgspec

from pageworker_runner.pages.redaction import Redaction

EVENTS = "trace.trace"
NETWORK = "trace.network"
FILE_NAME = re.compile(rb"[A-Za-z0-9@._-]+")
OF_CALLS = frozenset({"after", "before", "input", "log"})
"""Types of event that name a call and no page."""


def own_trace(archive: bytes, calls: Set[str], page: str, redaction: Redaction) -> bytes:
    """A trace of the job that made these `calls` on this `page`, and on pages that it opened."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        events = [*_lines(whole, EVENTS)]
        pages = own_pages(events, calls, page)
        texts = {
            EVENTS: _text((each for each in events if _is_own_event(each, calls, pages)), redaction),
            NETWORK: _text((each for each in _lines(whole, NETWORK) if _is_own_request(each, pages)), redaction),
        }
        named = {name for text in texts.values() for name in FILE_NAME.findall(text)}
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as own:
            for name, text in texts.items():
                own.writestr(name, text)
            for name in whole.namelist():
                if name not in texts and name.rpartition("/")[2].encode() in named:
                    own.writestr(name, whole.read(name))
    return kept.getvalue()


def own_pages(events: Iterable[dict[str, Any]], calls: Set[str], page: str) -> frozenset[str]:
    """The job's page, pages that its pages have opened, and pages on which it has made a call."""
    pages = {page}
    for event in events:
        snapshot = event.get("snapshot") or {}
        parameters = event.get("params") or {}
        if event.get("type") == "frame-snapshot" and snapshot.get("callId") in calls:
            pages.add(snapshot["pageId"])
        elif event.get("method") == "page" and parameters.get("openerPageId") in pages:
            pages.add(parameters["pageId"])
    return frozenset(pages)


def _is_own_event(event: dict[str, Any], calls: Set[str], pages: Set[str]) -> bool:
    if event["type"] in OF_CALLS:
        return event.get("callId") in calls
    if event["type"] == "context-options":
        return True
    inner = event.get("snapshot") or event.get("params") or {}
    # Snapshots are stored as differences to earlier ones of their page, so all of a page are kept.
    return (event.get("pageId") or inner.get("pageId")) in pages


def _is_own_request(event: dict[str, Any], pages: Set[str]) -> bool:
    return (event.get("snapshot") or {}).get("pageref") in pages


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    for line in archive.read(name).splitlines():
        yield msgspec.json.decode(line)


def _text(events: Iterable[dict[str, Any]], redaction: Redaction) -> bytes:
    return b"".join(msgspec.json.encode(redaction.of(event)) + b"\n" for event in events)
