"""Closes a page for certain."""

import asyncio
from contextlib import suppress

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from pageworker_sandbox.task_group import TaskGroup

REPEAT_SECONDS = 1.0


async def close_page(page: Page) -> None:
    """Close it, unless it has closed itself. The caller sets the deadline. Raises Playwright's Error.

    Chromium can lose a close that comes while the page's new document takes the place of the old one. Playwright then
    waits forever, so the browser is asked again.
    """
    if page.is_closed():
        return
    async with TaskGroup() as tasks:
        repeating = tasks.create_task(_ask_again(page))
        error = await _close(page)
        repeating.cancel()
    # If the whole browser is gone, the context's own close event reports it.
    if error is not None and not page.is_closed():
        raise error


async def _close(page: Page) -> BrowserError | None:
    try:
        await page.close()
    except BrowserError as error:
        return error
    return None


async def _ask_again(page: Page) -> None:
    while True:
        await asyncio.sleep(REPEAT_SECONDS)
        # An error means that it has closed meanwhile, or that it is asked once more.
        with suppress(BrowserError):
            devtools = await page.context.new_cdp_session(page)
            await devtools.send("Page.close")
