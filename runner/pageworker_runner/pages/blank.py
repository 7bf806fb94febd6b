"""about:blank, reached for certain, with no way back."""

import asyncio
from typing import Any

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as BrowserError

BLANK = "about:blank"
INTERRUPTED = "interrupted by another navigation"
NOT_YET = "Not attached to an active page"


async def go_blank(page: Page) -> None:
    """Leave the document. The error page of a failed navigation may commit late, and then interrupts ours: we go on
    until nothing does. The caller sets the deadline. Raises Playwright's Error.
    """
    while True:
        try:
            await page.goto(BLANK, wait_until="commit")
        except BrowserError as error:
            if INTERRUPTED not in str(error):
                raise
        else:
            return


async def forget_history(devtools: CDPSession) -> None:
    """Empty the tab's history; its page is at about:blank. The caller sets the deadline. Raises Playwright's Error.

    A renderer reports a commit on another pipe than the one that the browser learns of it from, so the browser may
    not have seen it yet: a reset is refused then, or keeps the wrong entry. So it is asked what it kept.
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
