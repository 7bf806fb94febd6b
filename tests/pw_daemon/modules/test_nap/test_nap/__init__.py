"""Stays on its page for a while, so that there is something to kill. Says from when to when, in seconds since 1970."""

import asyncio
import time
from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    began = time.time()
    await page.evaluate("document.title = 'nap'")
    await asyncio.sleep(payload.get("seconds", 0.1))
    return {"title": await page.title(), "attempt": context.attempt, "span": [began, time.time()]}
