"""Screenshot and HTML of a page in bounded time, in whatever state it is: loading, waiting for a font, busy.

Playwright's screenshot waits until all web fonts have arrived, and its HTML for the page's scripts. The raw DevTools
commands do not.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.dialogs import dismiss_dialogs
from pageworker_runner.pages.slot import WarmPage

T = TypeVar("T")

ROUNDS = (0.4, 0.3, 0.2, 0.1)
"""Shares of the time. What did not answer in one round is asked again in the next, after the page was stopped."""
SCRIPTS_OFF_ROUND = 2
PAUSE_SECONDS = 0.05
"""Between two questions: a page that commits a navigation answers with errors for a moment."""


async def last_sight(warm: WarmPage, seconds: float) -> tuple[bytes | None, str | None]:
    """JPEG and HTML of a page that no handler uses any more. None for what it did not give within `seconds`.

    A page that does not answer is stopped: its scripts are interrupted, its dialogs dismissed, its loading ended. If
    that does not help, its scripts are switched off as well, and the page is replaced after its attempt.
    """
    page, devtools = warm.page, warm.devtools
    shot: bytes | None = None
    html: str | None = None
    for number, share in enumerate(ROUNDS):
        part = share * seconds
        shot, html, _ = await asyncio.gather(
            _insist(lambda: screenshot(devtools, "jpeg"), page, part) if shot is None else _as_it_is(shot),
            _insist(lambda: _html(devtools), page, part) if html is None else _as_it_is(html),
            _stop(warm, part, scripts_off=number >= SCRIPTS_OFF_ROUND) if number else _as_it_is(None),
        )
        if (shot is not None and html is not None) or page.is_closed():
            break
    return shot, html


async def screenshot(devtools: CDPSession, format: str, *, full_page: bool = False) -> bytes:
    """A picture of what is drawn now. Waits only until the page has drawn a frame. Raises Playwright's Error.

    A page whose style sheets have not arrived draws none. The caller sets the deadline.
    """
    options: dict[str, Any] = {"format": format}
    if format == "jpeg":
        options["quality"] = 70
    if full_page:
        size = (await devtools.send("Page.getLayoutMetrics"))["cssContentSize"]
        options |= {"clip": {**size, "scale": 1}, "captureBeyondViewport": True}
    return base64.b64decode((await devtools.send("Page.captureScreenshot", options))["data"])


async def _html(devtools: CDPSession) -> str:
    """Without any script, since scripts of this page may be switched off."""
    root = (await devtools.send("DOM.getDocument", {"depth": 0}))["root"]["nodeId"]
    html: str = (await devtools.send("DOM.getOuterHTML", {"nodeId": root}))["outerHTML"]
    # Or the browser would report every change of all later documents.
    await devtools.send("DOM.disable")
    return html


async def _as_it_is(value: T) -> T:
    return value


async def _insist(ask: Callable[[], Awaitable[T]], page: Page, seconds: float) -> T | None:
    try:
        async with asyncio.timeout(seconds):
            while not page.is_closed():
                try:
                    return await ask()
                except BrowserError:
                    await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        pass
    return None


async def _stop(warm: WarmPage, seconds: float, *, scripts_off: bool) -> None:
    """Best effort: the browser answers these even while the page's own script never ends."""
    send = warm.devtools.send
    commands = [send("Runtime.terminateExecution"), send("Page.stopLoading"), dismiss_dialogs(warm.page)]
    if scripts_off:
        warm.scripts_off = True
        commands.insert(0, send("Emulation.setScriptExecutionDisabled", {"value": True}))
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*commands)
    except (BrowserError, TimeoutError):
        # The next round tries again. A page that is gone has no screenshot, and the attempt's error says so already.
        return
