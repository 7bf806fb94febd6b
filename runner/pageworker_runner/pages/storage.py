"""Wipes what an ephemeral browser context stores, whenever none of its jobs runs."""

import asyncio

from playwright.async_api import BrowserContext, CDPSession

from pageworker_runner.pages.context_options import reset_permissions
from pageworker_sandbox.wire.page_options import PageOptions


async def wipe(context: BrowserContext, devtools: CDPSession, options: PageOptions) -> None:
    """Delete cookies, the storage of every origin (service workers, databases, caches) and the HTTP cache.

    Raises Playwright's Error. Session storage belongs to a tab, so `recycle` clears it.
    """
    await asyncio.gather(
        # "all" below deletes cookies too, but no document promises it for the origin "*".
        context.clear_cookies(),
        devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"}),
        devtools.send("Network.clearBrowserCache"),
        reset_permissions(context, options),
    )


async def end_service_workers(devtools: CDPSession) -> None:
    """Unregister the service workers of every origin. Raises Playwright's Error."""
    await devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "service_workers"})
