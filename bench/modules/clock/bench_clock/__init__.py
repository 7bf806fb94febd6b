"""Returns the time at which the handler began."""

import time
from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """Anything to `{"reached": seconds since the epoch}`."""
    return {"reached": time.time()}
