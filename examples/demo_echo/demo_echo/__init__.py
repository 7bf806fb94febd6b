"""Returns its payload: everything around a handler, and no handler."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """Any object to the same object."""
    return payload
