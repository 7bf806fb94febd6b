"""One warm page of the pool, with what is needed to prove it clean."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from playwright.async_api import CDPSession, Frame, Page

from pageworker_runner.pages.client_state import ClientState
from pageworker_runner.pages.page_state import TRANSITIONS, PageEvent, PageState
from pageworker_runner.pages.playwright_internals.client_objects import (
    client_page_objects,
    guid_of,
    public_page_objects,
)
from pageworker_runner.pages.playwright_internals.listeners import listeners_of
from pageworker_runner.pages.playwright_internals.private_names import LIVE_STATE
from pageworker_sandbox.state_machine import next_state

ORIGIN = re.compile(r"^https?://[^/?#]+")


def origin_of(url: str) -> str | None:
    """`https://shop.example` of a URL. None for a URL without storage of its own (about:, data:)."""
    found = ORIGIN.match(url)
    return found[0] if found else None


class WindowBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page's window is and how large, in CSS pixels. Source: DevTools protocol, Browser.Bounds."""

    left: int
    top: int
    width: int
    height: int


async def window_of(devtools: CDPSession) -> WindowBounds:
    """The bounds of the window that a page is in, from the browser. Raises Playwright's Error.

    What the page itself reports is no measure: a tab of the full browser counts the window's frame in once it has been
    in front, and not before.
    """
    return msgspec.convert((await devtools.send("Browser.getWindowForTarget"))["bounds"], WindowBounds)


async def target_of(devtools: CDPSession) -> str:
    """The browser's id of the page that a DevTools session inspects."""
    target: str = (await devtools.send("Target.getTargetInfo"))["targetInfo"]["targetId"]
    return target


class WarmPage:
    """A page, the listeners that it had from the start, and the origins that it has shown since it was last clean."""

    def __init__(self, page: Page, devtools: CDPSession, target: str, on_crash: Callable[[], None]) -> None:
        """`target` is the browser's id of the page. `on_crash` is called when its renderer crashes."""
        self.page = page
        self.devtools = devtools
        self.target = target
        self.origins: set[str] = set()
        self.window: WindowBounds | None = None
        """Of the unused page."""
        self.cleanings = 0
        """How often it was cleaned."""
        self.crashed = False
        self.handler_stuck = False
        """Its handler suppressed its cancellation, so the page is taken from it."""
        self.scripts_off = False
        """Its scripts were switched off for the failure artifacts."""
        self._on_crash = on_crash
        self.public = ClientState(public_page_objects(page), LIVE_STATE)
        """What modules may set attributes on."""
        page.on("framenavigated", self._navigated)
        page.on("crash", self._crashed)
        self.baseline = listeners_of(page)
        self.client = ClientState(client_page_objects(page), LIVE_STATE)
        """What Playwright's client keeps of the page."""

    @property
    def guid(self) -> str:
        """The driver's id of the page."""
        return guid_of(self.page)

    def _navigated(self, frame: Frame) -> None:
        if origin := origin_of(frame.url):
            self.origins.add(origin)

    def _crashed(self, page: Page) -> None:
        self.crashed = True
        self._on_crash()


@dataclass(eq=False)
class PageSlot:
    """A slot of the pool: its page, the page's state, and the attempt that has it now."""

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
