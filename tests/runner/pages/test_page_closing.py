"""A page is closed, even if the browser loses the first command."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed

from pageworker_runner.pages import page_closing
from pageworker_runner.pages.page_closing import close_page


class LossyPage:
    """A page whose close waits until DevTools was asked this often. It is its own context and DevTools session."""

    def __init__(self, commands_lost: int = 0, error: str = "") -> None:
        self.context = self
        self.commands: list[str] = []
        self.closes = 0
        self._lost = commands_lost
        self._error = error
        self._closed = asyncio.Event()

    def is_closed(self) -> bool:
        return self._closed.is_set()

    async def close(self) -> None:
        self.closes += 1
        if self._error:
            raise BrowserError(self._error)
        if not self._lost:
            self._closed.set()
        await self._closed.wait()

    async def new_cdp_session(self, page: Any) -> Any:
        return page

    async def send(self, command: str) -> None:
        self.commands.append(command)
        if len(self.commands) < self._lost:
            raise BrowserError("Target closed")
        self._closed.set()


async def closed(page: LossyPage) -> LossyPage:
    untyped = any_typed(page)
    await close_page(untyped)
    return page


async def test_one_close_is_enough_as_a_rule() -> None:
    page = await closed(LossyPage())
    assert (page.closes, page.commands) == (1, [])
    assert (await closed(page)).closes == 1, "a closed page is not closed again"


async def test_a_lost_close_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_closing, "REPEAT_SECONDS", 0.01)
    assert (await closed(LossyPage(commands_lost=3))).commands == ["Page.close"] * 3


async def test_an_error_of_an_open_page_is_raised() -> None:
    with pytest.raises(BrowserError, match="Browser closed"):
        await closed(LossyPage(error="Browser closed"))
