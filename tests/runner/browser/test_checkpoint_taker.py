"""Each request for a checkpoint gets one answer, with as much as the browser tells in time."""

import asyncio
import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed

from pageworker_runner.browser import checkpoint_taker
from pageworker_runner.browser.checkpoint import NOTHING_KNOWN, BrowserState, KnownOrigins, parse_state
from pageworker_runner.browser.checkpoint_taker import STORAGE_TRIES, CheckpointTaker

COOKIES = BrowserState([{"name": "user"}], [])
ALL = BrowserState(COOKIES.cookies, [{"origin": "http://shop.test"}])
EMPTIED = BrowserState(COOKIES.cookies, [{"origin": "http://shop.test", "localStorage": [], "indexedDB": []}])
TOO_SLOW = [TimeoutError()] * STORAGE_TRIES


class SlowBrowser:
    """Answers with what is in `storage` in turn: a state, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *storage: Any, known: KnownOrigins = NOTHING_KNOWN) -> None:
        self.storage = list(storage)
        self.warnings: list[str] = []
        monkeypatch.setattr(checkpoint_taker, "take", self.take)
        self.taker = CheckpointTaker(
            any_typed(None),
            any_typed(SimpleNamespace(no_proof=nullcontext)),
            any_typed(None),
            any_typed(SimpleNamespace(warn=self.warnings.append)),
            known,
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
    browser = SlowBrowser(monkeypatch, *TOO_SLOW, TimeoutError(), ALL, *TOO_SLOW, ALL)
    assert await browser.checkpoint() == COOKIES
    assert await browser.checkpoint() == ALL
    before = time.time()
    late = await browser.checkpoint()
    assert late is not None
    assert (late.cookies, late.origins) == (ALL.cookies, ALL.origins), "else the storage of an older snapshot is used"
    assert 0 < late.origins_taken_at <= before
    assert await browser.checkpoint() == ALL
    assert (browser.storage, browser.warnings) == ([], [])


async def test_a_slow_browser_keeps_the_storage_that_it_was_restored_with(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = SlowBrowser(monkeypatch, *TOO_SLOW, known=KnownOrigins(ALL.origins, 7.0))
    assert await browser.checkpoint() == BrowserState(COOKIES.cookies, ALL.origins, 7.0)


async def test_a_site_that_has_no_storage_any_more_is_in_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = SlowBrowser(monkeypatch, COOKIES, COOKIES, ALL, known=KnownOrigins(ALL.origins, 7.0))
    assert [await browser.checkpoint() for _ in range(3)] == [EMPTIED, EMPTIED, ALL]


async def test_storage_that_cannot_be_read_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = SlowBrowser(monkeypatch, BrowserError("Unable to serialize IndexedDB"), ALL)
    for _ in range(2):
        assert await browser.checkpoint() == COOKIES
    assert browser.storage == [ALL]
    assert len(browser.warnings) == 1
