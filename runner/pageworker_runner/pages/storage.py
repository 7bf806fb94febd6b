"""Wipes what an ephemeral browser context stores, whenever none of its jobs runs."""

import asyncio

from playwright.async_api import BrowserContext, CDPSession


async def wipe(context: BrowserContext, devtools: CDPSession) -> None:
    """Delete cookies, the storage of every origin (service workers, databases, caches) and the HTTP cache.

    Raises Playwright's Error. Session storage belongs to a tab, so `recycle` clears it.
    """
    await asyncio.gather(
        # "all" below deletes cookies too, but no document promises it for the origin "*".
        context.clear_cookies(),
        devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"}),
        devtools.send("Network.clearBrowserCache"),
        context.clear_permissions(),
    )
