"""What a module author imports: types, ways to end an attempt, and helpers.

from pageworker import Context, Helpers, Page

async def handler(page: Page, payload: dict, helpers: Helpers, context: Context) -> dict: ...
"""

from playwright.async_api import Download, Locator, Page, Response
from playwright.async_api import TimeoutError as PageTimeout

from pageworker.context import Context
from pageworker.device_list import devices
from pageworker.extraction import Each
from pageworker.helpers import Helpers, Log
from pageworker.job_file import JobFile
from pageworker.once import Once
from pageworker.outcomes import Blocked, BlockerKind, Failed, ProfileState, RetryLater
from pageworker.pagination import Pages, PagesEnd
from pageworker.sink import DownloadedFile, Sink

__version__ = "1.4.0"
"""Semantic version of this package, apart from that of the worker. `sdk` in module.toml names a range of it."""

__all__ = [
    "Blocked",
    "BlockerKind",
    "Context",
    "Download",
    "DownloadedFile",
    "Each",
    "Failed",
    "Helpers",
    "JobFile",
    "Locator",
    "Log",
    "Once",
    "Page",
    "PageTimeout",
    "Pages",
    "PagesEnd",
    "ProfileState",
    "Response",
    "RetryLater",
    "Sink",
    "devices",
]
