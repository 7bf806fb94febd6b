"""Playwright's driver and the one browser of this runner."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Playwright, ProxySettings, async_playwright
from playwright.async_api import Error as BrowserError

from pageworker_runner.browser import chromium_flags, driver_cache, private_ca
from pageworker_runner.errors import StartError
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.context_options import launch_options
from pageworker_runner.pages.playwright_internals.client_objects import unshared
from pageworker_runner.pages.playwright_internals.driver_files import disabled_features
from pageworker_runner.pages.playwright_internals.name_check import check
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import reset_context_timeouts
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import Boot


@dataclass(frozen=True)
class RunnerBrowser:
    """A running browser with its one browser context."""

    playwright: Playwright
    context: BrowserContext
    version: str
    process: int
    """A pidfd of the browser's main process."""
    pid: int
    """Of the same process."""

    def on_exit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the browser's main process has ended, whether the driver notices it or not."""
        loop = asyncio.get_running_loop()

        def exited() -> None:
            loop.remove_reader(self.process)
            callback()

        loop.add_reader(self.process, exited)

    async def close(self) -> bool:
        """Shut Chromium down, which flushes the profile. Returns False if it did not end in time."""
        try:
            with own_work():
                async with asyncio.timeout(LIMITS.stop_seconds):
                    await self.context.close()
        except (BrowserError, TimeoutError):
            return False
        return True


async def launch(boot: Boot, profile: Path, proxy_port: int) -> RunnerBrowser:
    """Start the driver, then Chromium on `profile` with its own sandbox on. Raises StartError."""
    if boot.options.ca is not None:
        private_ca.trust(boot.options.ca, Path.home())
    try:
        with driver_cache.environment(driver_cache.variables()):
            playwright = await async_playwright().start()
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=boot.browser,
            headless=True,
            chromium_sandbox=True,
            accept_downloads=True,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            proxy=ProxySettings(server=f"http://127.0.0.1:{proxy_port}"),
            args=chromium_flags.arguments(disabled_features(), boot.options.locale),
            **launch_options(boot.options),
        )
    except BrowserError as error:
        raise StartError(f"browser: {str(error)[:2000]}") from error
    check(context)
    reset_context_timeouts(context, boot.default_timeout_seconds)
    context = unshared(context)
    browser = context.browser
    if browser is None:
        raise StartError("browser: Playwright's driver reports no browser for the context")
    try:
        pid = await _main_pid(browser)
        return RunnerBrowser(playwright, context, browser.version, os.pidfd_open(pid), pid)
    except (BrowserError, OSError) as error:
        raise StartError(f"browser: it ended while it started: {str(error)[:2000]}") from error


async def _main_pid(browser: Browser) -> int:
    """The browser's main process. Source: DevTools' SystemInfo domain."""
    devtools = await browser.new_browser_cdp_session()
    processes = (await devtools.send("SystemInfo.getProcessInfo"))["processInfo"]
    await devtools.detach()
    pid: int = next(process["id"] for process in processes if process["type"] == "browser")
    return pid
