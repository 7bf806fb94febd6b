"""The work of `bench.visit`, on a site whose certificate is the measurement's own."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> Any:
    """`{"url", "read": JavaScript}` to what the script reads."""
    await page.goto(payload["url"], wait_until="load")
    return await page.evaluate(payload["read"])
