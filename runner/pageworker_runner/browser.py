"""Playwright's driver and the one browser of this runner."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import BrowserContext, Playwright, ProxySettings, async_playwright
from playwright.async_api import Error as BrowserError

from pageworker_runner import flags, undo
from pageworker_runner.belonging import own_work
from pageworker_runner.errors import StartError
from pageworker_runner.inside import reset_context_timeouts
from pageworker_runner.limits import LIMITS
from pageworker_sandbox.wire.messages import Boot


@dataclass(frozen=True)
class Browser:
    """A running browser with its one context."""

    playwright: Playwright
    context: BrowserContext
    version: str

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
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            viewport=undo.VIEWPORT,
            proxy=ProxySettings(server=f"http://127.0.0.1:{proxy_port}"),
            args=flags.arguments(flags.playwright_disables(), boot.browser_args),
        )
    except BrowserError as error:
        raise StartError(f"browser: {str(error)[:2000]}") from error
    reset_context_timeouts(context, boot.default_timeout_seconds)
    browser = context.browser
    return Browser(playwright, context, browser.version if browser is not None else "unknown")
