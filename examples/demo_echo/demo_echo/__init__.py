"""Returns its payload, and does not use its page."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """Return the payload."""
    return payload
