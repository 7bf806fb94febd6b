"""What a module author imports: types, ways to end an attempt, and helpers.

from pageworker import Context, Helpers, Page

async def handler(page: Page, payload: dict, helpers: Helpers, context: Context) -> dict: ...
"""

from playwright.async_api import Locator, Page, Response
from playwright.async_api import TimeoutError as PageTimeout

from pageworker.helpers import Context, Helpers, Log, Sink
from pageworker.outcomes import Blocked, BlockerKind, Failed, RetryLater

__all__ = [
    "Blocked",
    "BlockerKind",
    "Context",
    "Failed",
    "Helpers",
    "Locator",
    "Log",
    "Page",
    "PageTimeout",
    "Response",
    "RetryLater",
    "Sink",
]
