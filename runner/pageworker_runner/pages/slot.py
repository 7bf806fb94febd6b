"""One warm page of the pool, with what has to be known to prove it clean."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import CDPSession, Frame, Page

from pageworker_runner.pages.page_state import TRANSITIONS, PageEvent, PageState
from pageworker_runner.pages.playwright_internals import guid_of, listeners_of
from pageworker_sandbox.state_machine import next_state

ORIGIN = re.compile(r"^https?://[^/?#]+")


def origin_of(url: str) -> str | None:
    """`https://shop.example` of a URL; None where it has no storage of its own (about:, data:)."""
    found = ORIGIN.match(url)
    return found[0] if found else None


async def target_of(devtools: CDPSession) -> str:
    """The browser's name of the page that a session looks at."""
    target: str = (await devtools.send("Target.getTargetInfo"))["targetInfo"]["targetId"]
    return target


class WarmPage:
    """A page, what listened to it from the start, and the origins it has shown since it was clean."""

    def __init__(self, page: Page, devtools: CDPSession, target: str, crashed: Callable[[], None]) -> None:
        """`target` is the browser's name of the page, `crashed` is called when its renderer dies."""
        self.page = page
        self.devtools = devtools
        self.target = target
        self.origins: set[str] = set()
        self.crashed = False
        self.handler_stuck = False
        """Its handler would not end: the page is taken from it."""
        self._tell = crashed
        page.on("framenavigated", self._navigated)
        page.on("crash", self._crash)
        self.baseline = listeners_of(page)

    @property
    def guid(self) -> str:
        """The driver's name of the page."""
        return guid_of(self.page)

    def _navigated(self, frame: Frame) -> None:
        if origin := origin_of(frame.url):
            self.origins.add(origin)

    def _crash(self, page: Page) -> None:
        self.crashed = True
        self._tell()


@dataclass(eq=False)
class PageSlot:
    """A place in the pool: its page, where that is in life, and whose it is now."""

    index: int
    warm: WarmPage
    state: PageState = PageState.IDLE
    attempt: str | None = None

    @property
    def page(self) -> Page:
        """The page as modules see it."""
        return self.warm.page

    def follow(self, event: PageEvent) -> None:
        """Advance. Raises IllegalTransition."""
        self.state = next_state(TRANSITIONS, self.state, event)
