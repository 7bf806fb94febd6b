"""Each request for a checkpoint gets one answer, with as much as the browser tells in time."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed

from pageworker_runner.browser import checkpoint_taker
from pageworker_runner.browser.checkpoint import BrowserState, parse_state
from pageworker_runner.browser.checkpoint_taker import STORAGE_TRIES, CheckpointTaker

COOKIES = BrowserState([{"name": "user"}], [])
ALL = BrowserState(COOKIES.cookies, [{"origin": "http://shop.test"}])


class SlowBrowser:
    """Answers with what is in `storage` in turn: a state, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *storage: Any) -> None:
        self.storage = list(storage)
        self.warnings: list[str] = []
        monkeypatch.setattr(checkpoint_taker, "take", self.take)
        self.taker = CheckpointTaker(
            any_typed(None),
            any_typed(SimpleNamespace(no_proof=nullcontext)),
            any_typed(None),
            any_typed(SimpleNamespace(warn=self.warnings.append)),
        )

    async def take(self, context: object, seconds: float, *, storage: bool) -> BrowserState:
        if not storage:
            return COOKIES
        answer = self.storage.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, BrowserState)
        return answer

    async def checkpoint(self) -> BrowserState | None:
        async with asyncio.timeout(5):
            return parse_state(await self.taker._take())


async def test_a_slow_browser_is_asked_again_and_each_checkpoint_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = SlowBrowser(monkeypatch, TimeoutError(), ALL, *[TimeoutError()] * STORAGE_TRIES, ALL)
    assert await browser.checkpoint() == ALL
    assert await browser.checkpoint() == COOKIES
    assert await browser.checkpoint() == ALL
    assert (browser.storage, browser.warnings) == ([], [])


async def test_storage_that_cannot_be_read_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = SlowBrowser(monkeypatch, BrowserError("Unable to serialize IndexedDB"), ALL)
    for _ in range(2):
        assert await browser.checkpoint() == COOKIES
    assert browser.storage == [ALL]
    assert len(browser.warnings) == 1
