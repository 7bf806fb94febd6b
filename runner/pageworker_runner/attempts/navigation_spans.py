"""Spans of navigations: the calls of Playwright's client that wait for a new document."""

import asyncio
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pageworker_runner.attempts.span_recorder import SpanRecorder

NAMES = {"goto": "navigate", "reload": "reload", "goBack": "go back", "goForward": "go forward"}


def follow(spans: SpanRecorder, method: str, params: dict[str, Any], reply: asyncio.Future[Any]) -> None:
    """Record a navigation that was sent now. `reply` is done when it is over."""
    place = spans.begin(NAMES.get(method, "navigate"), attributes_of(params.get("url")))
    reply.add_done_callback(partial(_ended, spans, place))


def _ended(spans: SpanRecorder, place: int | None, reply: asyncio.Future[Any]) -> None:
    error = "cancelled" if reply.cancelled() else reply.exception()
    spans.end(place, error if error is None or isinstance(error, str) else type(error).__name__)


def attributes_of(untrusted_url: object) -> dict[str, object]:
    """Scheme and host of a URL. The rest may be part of the payload, or a secret."""
    if not isinstance(untrusted_url, str):
        return {}
    try:
        parts = urlsplit(untrusted_url)
        found = {"url.scheme": parts.scheme, "server.address": parts.hostname}
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if value}
