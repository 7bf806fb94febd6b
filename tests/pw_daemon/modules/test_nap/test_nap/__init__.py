"""Stays on its page for a while, so that there is something to kill."""

import asyncio

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict, helpers: Helpers, context: Context) -> dict:
    await page.evaluate("document.title = 'nap'")
    await asyncio.sleep(payload.get("seconds", 0.1))
    return {"title": await page.title(), "attempt": context.attempt}
