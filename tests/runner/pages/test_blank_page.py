"""A page reaches about:blank and has no history, even if the browser needs more than one try."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed

from pageworker_runner.pages.blank_page import BLANK, forget_history, go_blank


@dataclass(eq=False)
class ScriptedFrame:
    """A frame at a URL."""

    url: str = ""


class InterruptedPage:
    """A page whose `goto` commits some URLs before it ends, with this error if there is one, and some after it."""

    def __init__(self, error: str = "", before: Sequence[str] = (), after: Sequence[str] = ()) -> None:
        self.error = error
        self.before = before
        self.after = after
        self.visited: list[str] = []
        self.committed: list[str] = []
        self.main_frame = ScriptedFrame()
        self.listeners: list[Callable[[ScriptedFrame], None]] = []

    def on(self, event: str, listener: Callable[[ScriptedFrame], None]) -> None:
        assert event == "framenavigated"
        self.listeners.append(listener)

    def remove_listener(self, event: str, listener: Callable[[ScriptedFrame], None]) -> None:
        assert event == "framenavigated"
        self.listeners.remove(listener)

    async def goto(self, url: str, **_: Any) -> None:
        self.visited.append(url)
        self._commit(self.before)
        asyncio.get_running_loop().call_later(0.02, self._commit, self.after)
        if self.error:
            raise BrowserError(self.error)

    def _commit(self, urls: Sequence[str]) -> None:
        for url in urls:
            self.committed.append(url)
            self.main_frame.url = url
            for listener in self.listeners:
                listener(ScriptedFrame(BLANK))  # A frame within the page does not count.
                listener(self.main_frame)


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


INTERRUPTED = 'Navigation to "about:blank" is interrupted by another navigation to "x"'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["chrome-error://chromewebdata/"], [BLANK]),
        (["chrome-error://chromewebdata/", BLANK], []),
        (["http://x/"], ["http://x/#y", BLANK]),
        ([BLANK], [BLANK]),
    ],
)
async def test_an_interrupted_navigation_is_waited_for(before: list[str], after: list[str]) -> None:
    """It is never repeated: the second navigation would be interrupted by the first one, and so on."""
    untyped = any_typed(page := InterruptedPage(INTERRUPTED, before, after))
    await go_blank(untyped)
    assert page.committed == before + after
    assert page.visited == [BLANK]
    assert page.listeners == []


async def test_a_navigation_that_never_arrives_is_the_callers_matter() -> None:
    untyped = any_typed(page := InterruptedPage(INTERRUPTED, ["chrome-error://chromewebdata/"], ["http://x/"]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(go_blank(untyped), 0.1)
    assert page.listeners == []


async def test_any_other_failure_is_raised() -> None:
    untyped = any_typed(page := InterruptedPage("Target crashed"))
    with pytest.raises(BrowserError, match="Target crashed"):
        await go_blank(untyped)
    assert page.listeners == []


async def test_the_history_is_reset_until_it_holds_the_blank_page_alone() -> None:
    untyped = any_typed(devtools := RetriedDevtools("Not attached to an active page", ["http://x/", BLANK], [BLANK]))
    await forget_history(untyped)
    assert devtools.answers == []
    assert devtools.commands.count("Page.resetNavigationHistory") == 3


async def test_a_session_that_is_gone_is_an_error() -> None:
    untyped = any_typed(RetriedDevtools("Target closed"))
    with pytest.raises(BrowserError, match="Target closed"):
        await forget_history(untyped)
