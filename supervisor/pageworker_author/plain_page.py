"""A page for tests of single functions of a module: Playwright's own, outside of any sandbox, without a network."""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from playwright.async_api import Browser, Page, Playwright, async_playwright
from playwright.async_api import Error as BrowserError

from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.signing import parse_manifest
from pageworker_sandbox.signing.manifest import FILE
from pageworker_sandbox.wire.page_options import PageOptions

NOT_PLAYWRIGHTS = frozenset({"block", "block_hosts", "ca"})
"""Options that a worker's browser gets in another way. They need a network, and this page has none."""
VIEWPORT = {"width": 1280, "height": 720}

T = TypeVar("T")


class NoBrowser(Exception):
    """This host has no browser that Playwright can start."""


def context_options(options: PageOptions) -> dict[str, Any]:
    """Arguments of Playwright's `new_context`, by name."""
    given = {name: value for name, value in options.given().items() if name not in NOT_PLAYWRIGHTS}
    plain: dict[str, Any] = msgspec.to_builtins(given)
    if "permissions" in plain:
        plain["permissions"] = list(plain["permissions"])
    return {"viewport": VIEWPORT, **plain}


class PlainBrowser:
    """One browser for all tests of a session, and the event loop that its pages belong to."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the pages' event loop."""
        return self._runner.run(work)

    async def open(self, module: Path, har: Path) -> Page:
        """A page with the options of module.toml. Its requests are answered from the HAR file if there is one; others
        are aborted. Raises NoBrowser, ManifestInvalid, OSError."""
        options = parse_manifest((module / FILE).read_text()).page
        context = await (await self._started()).new_context(**context_options(options))
        page = await context.new_page()
        if har.is_file():
            await context.route_from_har(har, not_found="abort")
        else:
            await context.route("**/*", lambda route: route.abort("blockedbyclient"))
        return page

    async def close_page(self, page: Page) -> None:
        """Close the page with its context. The test may have closed it."""
        with suppress(BrowserError):
            await page.context.close()

    def close(self) -> None:
        """End the browser."""
        self.run(self._stop())
        self._runner.close()

    async def _started(self) -> Browser:
        if self._browser is None:
            found = find_browsers(None)
            if isinstance(found, HostProblem):
                raise NoBrowser(f"{found.what}: {found.mend}")
            executable = str((found.get("shell") or found["full"]).source)
            self._playwright = await async_playwright().start()
            # Chromium refuses to start its own sandbox for root.
            self._browser = await self._playwright.chromium.launch(
                executable_path=executable, chromium_sandbox=os.geteuid() != 0
            )
        return self._browser

    async def _stop(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
