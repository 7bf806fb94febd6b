"""Which documents may have asked for client hints. That the browser forgets them: tests/runner/test_next_job.py."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.pages import client_hints
from pageworker_runner.pages.client_hints import TRUSTWORTHY, ClientHints


@pytest.mark.parametrize(
    ("url", "may_ask"),
    [
        ("https://shop.example/", True),
        ("http://localhost", True),
        ("http://app.localhost:8080/x", True),
        ("http://127.0.0.1/x", True),
        ("http://[::1]:80/", True),
        ("http://shop.example/", False),
        ("http://localhost.example/", False),
        ("http://shop.example/localhost", False),
        ("http://shop.example?x=.localhost/", False),
        ("about:blank", False),
    ],
)
def test_only_a_secure_context_asks(url: str, may_ask: bool) -> None:
    assert bool(TRUSTWORTHY.match(url)) is may_ask


class AnsweredDocument:
    """A request whose answer asks for hints, once it is `ready`. `reads`: how often its headers were read."""

    def __init__(self, url: str) -> None:
        self._initializer = {"url": url}
        self._redirected_from = None
        self.ready = asyncio.Event()
        self.reads = 0

    async def response(self) -> Any:
        """The answer."""
        self.reads += 1
        await self.ready.wait()
        return SimpleNamespace(_initializer={"headers": [{"name": "Accept-CH", "value": "Sec-CH-UA-Arch"}]})


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[[AnsweredDocument], None]:
    """Tells the hints of a document that a page has navigated to."""
    heard: list[Callable[[dict[str, Any]], None]] = []

    def intercept(context: object, on_message: Callable[[dict[str, Any]], None]) -> Callable[[object], None]:
        heard.append(on_message)
        return lambda message: None

    def navigated(document: AnsweredDocument) -> None:
        request = {"guid": document}
        heard[0]({"method": "navigated", "guid": frame, "params": {"newDocument": {"request": request}}})

    frame = SimpleNamespace(_parent_frame=None)
    monkeypatch.setattr(client_hints, "intercept_messages", intercept)
    monkeypatch.setattr(client_hints, "object_of", lambda context, guid: guid)
    return navigated


async def forgotten(hints: ClientHints, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The origins that are told to ask for none."""
    told: list[str] = []

    async def ask(page: object, origins: list[str]) -> None:
        told.extend(origins)

    async def send(command: str, params: object) -> None:
        """DevTools obeys."""

    monkeypatch.setattr(client_hints, "_ask_for_none", ask)
    nothing = any_typed(SimpleNamespace(send=send))
    await hints.forget(nothing, nothing)
    return told


async def test_a_cancelled_look_is_repeated(
    visit: Callable[[AnsweredDocument], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = any_typed(None)
    hints, slow = ClientHints(context), AnsweredDocument("https://shop.example/p")
    visit(slow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await hints.collect()
    slow.ready.set()
    assert await forgotten(hints, monkeypatch) == ["https://shop.example"]


async def test_a_site_that_is_known_to_ask_is_not_read_again(
    visit: Callable[[AnsweredDocument], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = any_typed(None)
    hints = ClientHints(context)
    first, second, insecure = (
        AnsweredDocument(url) for url in ("https://shop.example/p", "https://shop.example/q", "http://shop.example/")
    )
    for document in (first, second, insecure):
        document.ready.set()
        visit(document)
        await hints.collect()
    assert [document.reads for document in (first, second, insecure)] == [1, 0, 0]
    assert await forgotten(hints, monkeypatch) == ["https://shop.example"]
