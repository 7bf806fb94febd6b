"""Spans of navigations."""

import asyncio
from typing import Any

import pytest

from pageworker_runner.attempts.navigation_spans import attributes_of, follow
from pageworker_runner.attempts.span_recorder import SpanRecorder


@pytest.mark.parametrize(
    ("url", "attributes"),
    [
        ("https://me:word@shop.example:8443/a?key=1", {"url.scheme": "https", "server.address": "shop.example"}),
        ("about:blank", {"url.scheme": "about"}),
        ("http://[broken", {}),
        (None, {}),
    ],
)
def test_only_scheme_and_host_of_a_url_are_told(url: Any, attributes: dict[str, str]) -> None:
    assert attributes_of(url) == attributes


async def test_a_navigation_ends_with_its_reply() -> None:
    spans = SpanRecorder()
    good, bad, stopped = (asyncio.get_running_loop().create_future() for _ in range(3))
    follow(spans, "goto", {"url": "http://shop.example/"}, good)
    follow(spans, "reload", {}, bad)
    follow(spans, "goBack", {}, stopped)
    good.set_result(None)
    bad.set_exception(ValueError("net::ERR"))
    stopped.cancel()
    await asyncio.gather(good, bad, stopped, return_exceptions=True)
    sent = spans.message("a", 0.0).spans
    assert [(span.name, span.error) for span in sent] == [
        ("navigate", None),
        ("reload", "ValueError"),
        ("go back", "cancelled"),
    ]
