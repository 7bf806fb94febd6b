"""A page reaches about:blank and has no history, even if the browser needs more than one try."""

from typing import Any

import pytest
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.blank_page import BLANK, forget_history, go_blank


class RetriedPage:
    """A page that fails as often as there are errors."""

    def __init__(self, *errors: str) -> None:
        self.errors = list(errors)
        self.visited: list[str] = []

    async def goto(self, url: str, **_: Any) -> None:
        if self.errors:
            raise BrowserError(self.errors.pop(0))
        self.visited.append(url)


class RetriedDevtools:
    """A DevTools session that answers with these histories, or raises these errors, one after the other."""

    def __init__(self, *answers: list[str] | str) -> None:
        self.answers = list(answers)
        self.commands: list[str] = []

    async def send(self, command: str) -> dict[str, Any]:
        self.commands.append(command)
        if command == "Page.resetNavigationHistory":
            return {}
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise BrowserError(answer)
        return {"entries": [{"url": url} for url in answer]}


async def test_an_interrupted_navigation_is_repeated() -> None:
    untyped: Any = (page := RetriedPage(*["Navigation is interrupted by another navigation to x"] * 2))
    await go_blank(untyped)
    assert page.visited == [BLANK]


async def test_any_other_failure_is_raised() -> None:
    untyped: Any = RetriedPage("Target crashed")
    with pytest.raises(BrowserError, match="Target crashed"):
        await go_blank(untyped)


async def test_the_history_is_reset_until_it_holds_the_blank_page_alone() -> None:
    untyped: Any = (devtools := RetriedDevtools("Not attached to an active page", ["http://x/", BLANK], [BLANK]))
    await forget_history(untyped)
    assert devtools.answers == []
    assert devtools.commands.count("Page.resetNavigationHistory") == 3


async def test_a_session_that_is_gone_is_an_error() -> None:
    untyped: Any = RetriedDevtools("Target closed")
    with pytest.raises(BrowserError, match="Target closed"):
        await forget_history(untyped)
