"""Reads a feed of a single-page app that loads more while it is scrolled."""

from typing import Any

from pageworker import Context, Each, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "max_items"?}` to `{"posts", "complete"}`."""
    await page.goto(payload["url"], wait_until="domcontentloaded")
    # The document itself is empty: the app draws the posts.
    await helpers.wait_for("the first post", "article")
    found = await helpers.paginate(
        Each("article", {"author": ".author", "text": "p"}),
        scroll=True,
        max_items=payload.get("max_items", 200),
        wait_seconds=2,
    )
    helpers.step("feed read", posts=len(found.items), ended=found.ended)
    return {"posts": found.items, "complete": found.ended == "nothing_new"}
