"""Brings a page to about:blank for certain, and leaves no history to go back to."""

import asyncio
from typing import Any

from playwright.async_api import CDPSession, Frame, Page
from playwright.async_api import Error as BrowserError

BLANK = "about:blank"
INTERRUPTED = "interrupted by another navigation"
NOT_YET = "Not attached to an active page"


async def go_blank(page: Page) -> None:
    """Leave the document. The caller sets the deadline. Raises Playwright's Error.

    The error page of a failed navigation may commit late and interrupt this one. The browser still commits this one
    afterwards, so it is waited for and not repeated: each repetition would be interrupted by the one before it.
    """
    commits: asyncio.Queue[str] = asyncio.Queue()

    def committed(frame: Frame) -> None:
        if frame == page.main_frame:
            commits.put_nowait(frame.url)

    page.on("framenavigated", committed)
    try:
        await page.goto(BLANK, wait_until="commit")
    except BrowserError as error:
        if INTERRUPTED not in str(error):
            raise
        await commits.get()  # The one that interrupted. It may be of about:blank too, by a module that did not wait.
        while await commits.get() != BLANK:
            pass
    finally:
        page.remove_listener("framenavigated", committed)


async def forget_history(devtools: CDPSession) -> None:
    """Empty the history of a tab at about:blank. The caller sets the deadline. Raises Playwright's Error.

    The browser may learn of the page's commit later than Playwright does. Until then it refuses the reset, or keeps the
    wrong entry. So the reset is repeated until the history holds about:blank only.
    """
    while True:
        try:
            commands = ("Page.resetNavigationHistory", "Page.getNavigationHistory")
            answers: list[dict[str, Any]] = await asyncio.gather(*map(devtools.send, commands))
        except BrowserError as error:
            if NOT_YET not in str(error):
                raise
        else:
            if [entry["url"] for entry in answers[-1]["entries"]] == [BLANK]:
                return
