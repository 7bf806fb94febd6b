"""The work of `bench.visit`, with a screenshot and the HTML of each page."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> Any:
    """`{"url", "read": JavaScript}` to what the script reads. With the flag `keep`, both become artifacts."""
    await page.goto(payload["url"], wait_until="load")
    shot, html = await page.screenshot(), await page.content()
    if context.flags.get("keep"):
        await helpers.artifact("screenshot", shot, "image/png")
        await helpers.artifact("html", html, "text/html")
    return await page.evaluate(payload["read"])
