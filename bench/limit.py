"""The upper limit: a loop written by hand around Playwright with its defaults, with warm pages in one context.

`python -m bench.limit SITE JOBS PAGES BROWSER` prints `[number, fields]` per job. There is no queue, no sandbox
(Playwright's default is `--no-sandbox`) and no gateway: only the browser.
"""

import asyncio
import json
import sys
import tempfile

from playwright.async_api import Page, async_playwright

from bench.visit import READ_FIELDS


async def main(site: str, jobs: int, pages: int, browser: str) -> None:
    """Run all jobs, `pages` at a time."""
    numbers = iter(range(jobs))

    async def loop(page: Page) -> None:
        for number in numbers:
            await page.goto(f"{site}/p/{number}", wait_until="load")
            print(json.dumps([number, await page.evaluate(READ_FIELDS)]), flush=True)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=browser, headless=True
            )
            opened = context.pages[:1] + [await context.new_page() for _ in range(pages - 1)]
            await asyncio.gather(*map(loop, opened))
            await context.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
