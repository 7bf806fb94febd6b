"""Reads one product page: its structured data, or its visible text if it has none."""

import json
from typing import Any

from pageworker import Context, Failed, Helpers, Page

FIELDS = {
    "linked": 'script[type="application/ld+json"]',
    "sku": "article@data-sku",
    "title": "h1.title",
    "price": ".price",
    "currency": ".price .currency",
}


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url"}` to `{"title", "price", "currency", "availability", "sku"}`."""
    response = await page.goto(payload["url"], wait_until="domcontentloaded")
    if response is not None and response.status == 404:
        raise Failed("The shop has no such product.", type="no_such_product")
    found = await helpers.extract(FIELDS, required=["title", "price"])
    product = from_linked_data(found["linked"]) or from_page(found)
    helpers.log.info("product read", sku=product["sku"], attempt=context.attempt)
    return product


def from_linked_data(text: str | None) -> dict[str, Any] | None:
    """The fields of a schema.org Product. None: the page has none."""
    try:
        data = json.loads(text or "null")
        return {
            "title": data["name"],
            "price": data["offers"]["price"],
            "currency": data["offers"]["priceCurrency"],
            "availability": data["offers"]["availability"].rpartition("/")[2],
            "sku": data["sku"],
        }
    except (json.JSONDecodeError, KeyError, TypeError):
        return None


def from_page(found: dict[str, str | None]) -> dict[str, Any]:
    """The same fields from the visible text, which has no standard word for `availability`."""
    price, currency = found["price"] or "", found["currency"] or ""
    return {
        "title": found["title"],
        "price": price.removesuffix(currency).strip(),
        "currency": currency,
        "availability": None,
        "sku": found["sku"],
    }
