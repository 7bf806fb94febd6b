"""Playwright's driver and the one browser of this runner."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Playwright, ProxySettings, async_playwright
from playwright.async_api import Error as BrowserError

from pageworker_runner import chromium_flags
from pageworker_runner.errors import StartError
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages import revert
from pageworker_runner.pages.playwright_internals import reset_context_timeouts
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import Boot


@dataclass(frozen=True)
class Browser:
    """A running browser with its one context."""

    playwright: Playwright
    context: BrowserContext
    version: str
    process: int
    """A pidfd of the browser's first process."""

    def when_dead(self, tell: Callable[[], None]) -> None:
        """Call `tell` once the browser's process is gone. The kernel says so, whatever the driver makes of it."""
        loop = asyncio.get_running_loop()

        def dead() -> None:
            loop.remove_reader(self.process)
            tell()

        loop.add_reader(self.process, dead)

    async def close(self) -> bool:
        """Chromium's own shutdown, which flushes the profile. False: not done in time."""
        try:
            with own_work():
                async with asyncio.timeout(LIMITS.stop_seconds):
                    await self.context.close()
        except (BrowserError, TimeoutError):
            return False
        return True


async def launch(boot: Boot, profile: Path, proxy_port: int) -> Browser:
    """Start the driver, then Chromium on `profile`, with its own sandbox on. Raises StartError."""
    try:
        playwright = await async_playwright().start()
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=boot.browser,
            headless=True,
            chromium_sandbox=True,
            # A module can read no file, so a download would only go on filling /tmp after its job.
            accept_downloads=False,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            viewport=revert.VIEWPORT,
            proxy=ProxySettings(server=f"http://127.0.0.1:{proxy_port}"),
            args=chromium_flags.arguments(chromium_flags.playwright_disables()),
        )
    except BrowserError as error:
        raise StartError(f"browser: {str(error)[:2000]}") from error
    reset_context_timeouts(context, boot.default_timeout_seconds)
    browser = context.browser
    if browser is None:
        raise StartError("browser: the driver tells nothing of it")
    try:
        return Browser(playwright, context, browser.version, await _process_of(browser))
    except (BrowserError, OSError) as error:
        raise StartError(f"browser: it went away while it came up: {str(error)[:2000]}") from error


async def _process_of(browser: PlaywrightBrowser) -> int:
    """A pidfd of the process that the browser calls its first. Source: pidfd_open(2), DevTools' SystemInfo domain."""
    devtools = await browser.new_browser_cdp_session()
    processes = (await devtools.send("SystemInfo.getProcessInfo"))["processInfo"]
    await devtools.detach()
    return os.pidfd_open(next(process["id"] for process in processes if process["type"] == "browser"))
