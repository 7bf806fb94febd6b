"""Reads all offers of a list that has several pages."""

from typing import Any

from pageworker import Context, Each, Failed, Helpers, Page

OFFERS = Each(".offer", {"title": "h2", "price": ".price", "link": "a@href", "tags": Each(".tag")}, required=["title"])


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "max_pages"?}` to `{"offers", "pages", "ended"}`."""
    await page.goto(payload["url"], wait_until="domcontentloaded")
    await helpers.wait_for("the list of offers", "#offers")
    found = await helpers.paginate(OFFERS, next="a[rel=next]", max_pages=payload.get("max_pages", 20))
    helpers.step("offers read", offers=len(found.items), pages=found.count, ended=found.ended)
    if found.ended == "repeated":
        # A site that shows a page again would make the list longer than it is.
        raise Failed("The list repeats a page.", type="list_repeats", retryable=True)
    return {"offers": found.items, "pages": found.count, "ended": found.ended}
