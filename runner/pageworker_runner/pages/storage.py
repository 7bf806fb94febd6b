"""The ephemeral context's memory: wiped whenever none of its jobs runs."""

import asyncio

from playwright.async_api import BrowserContext, CDPSession


async def wipe(context: BrowserContext, devtools: CDPSession) -> None:
    """Forget cookies, storage of every origin (service workers, databases, caches) and the HTTP cache.

    Raises Playwright's Error. Session storage is not in here: it belongs to a tab, see `recycle`.
    """
    await asyncio.gather(
        # "all" takes them too, but for the origin "*" no document says so.
        context.clear_cookies(),
        devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"}),
        devtools.send("Network.clearBrowserCache"),
        context.clear_permissions(),
    )
