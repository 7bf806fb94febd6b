"""Reads a page that may go elsewhere by itself meanwhile."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from pageworker.navigation import is_interrupted_by_navigation

T = TypeVar("T")

SETTLE_SECONDS = 10.0
"""Longest time in which a page may go elsewhere by itself while it is read, and longest wait for its HTML."""


async def on_one_document(page: Page, read: Callable[[], Awaitable[T]]) -> T:
    """Repeat `read` on the next document while a navigation of the page interrupts it, for at most SETTLE_SECONDS."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            return await read()
        except BrowserError as error:
            left = until - time.monotonic()
            if left <= 0 or not is_interrupted_by_navigation(str(error)):
                raise
            await page.wait_for_load_state("domcontentloaded", timeout=left * 1000)
