"""A cold start by hand, with Playwright's defaults: `python -m bench.cold BROWSER` prints its seconds.

They run from just before Playwright starts until the first page could navigate. The interpreter runs already, and has
imported Playwright. There is no sandbox and no gateway.
"""

import asyncio
import sys
import tempfile
import time

from playwright.async_api import async_playwright


async def main(browser: str) -> None:
    """Start, print, close."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        began = time.monotonic()
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=browser, headless=True
            )
            await context.new_page()
            print(time.monotonic() - began, flush=True)
            await context.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
