"""Pages that the pool did not open: popups, and pages that modules open. They close with the attempts that own them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.downloads import Downloads
from pageworker_runner.pages.page_closing import close_page
from pageworker_runner.pages.playwright_internals.client_objects import guid_of, opener_of, unshared
from pageworker_runner.pages.slot import WarmPage, target_of
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work

TARGET_GONE = "No target found"
BROWSER_PAGES = ("chrome://", "chrome-untrusted://", "chrome-extension://", "devtools://")
"""Parts of the full browser's own window are pages to it, such as chrome://omnibox-popup.top-chrome/. The driver does
not report them, and no job can open one."""


class RunningPages(Protocol):
    """Which attempt has which page."""

    def running(self) -> dict[str, str]:
        """Page guid to attempt id, of all attempts that have a page now."""


@dataclass(eq=False)
class Popup:
    """A page, and the attempts that it may belong to."""

    page: Page
    owners: set[str]


class Popups:
    """All pages of the browser context that are not the pool's."""

    def __init__(
        self,
        context: BrowserContext,
        running: RunningPages,
        downloads: Downloads,
        tasks: Tasks,
        reporter: Reporter,
        on_page: Callable[[str, Page], None],
    ) -> None:
        """`on_page(attempt, page)` is called with each page that a page of this attempt has opened."""
        self._context = context
        self._running = running
        self._on_page = on_page
        self._downloads = downloads
        self._tasks = tasks
        self._reporter = reporter
        self._warned = False
        self._popups: dict[str, Popup] = {}
        self._own: set[str] = set()
        self._opening = asyncio.Lock()
        self._closing = asyncio.Lock()
        context.on("page", self._arrived)

    async def open_own(self) -> Page:
        """Open a page for the pool."""
        async with self._opening:
            page = await self._context.new_page()
            self._own.add(guid_of(page))
            self._popups.pop(guid_of(page), None)
            return page

    def adopt(self, page: Page) -> None:
        """A page that came with the browser context is the pool's."""
        self._own.add(guid_of(page))

    def forget(self, page: Page) -> None:
        """A page of the pool is closed."""
        self._own.discard(guid_of(page))

    def may_belong_to(self, guid: str, attempt_id: str) -> bool:
        """Whether this attempt is one of the popup's owners."""
        popup = self._popups.get(guid)
        return popup is not None and attempt_id in popup.owners

    def pages_of(self, attempt_id: str) -> list[Page]:
        """The popups that belong to this attempt and to no other."""
        return [each.page for each in self._popups.values() if each.owners == {attempt_id}]

    def claim(self, guid: str, attempt_id: str) -> None:
        """The page was opened by this attempt, so it belongs to no other one."""
        popup = self._popups.get(guid)
        if popup is None:
            return
        popup.owners = {attempt_id} & set(self._running.running().values())
        if not popup.owners:
            self._tasks.spawn(self._close_late())

    def _arrived(self, page: Page) -> None:
        if guid_of(page) in self._own:
            return
        running = self._running.running()
        opener = opener_of(page)
        if opener in running:
            owners = {running[opener]}
        elif opener in self._popups:
            owners = set(self._popups[opener].owners)
        elif opener in self._own:
            # The attempt that had this page has ended.
            owners = set()
        else:
            # Without a known opener it may belong to any running attempt, and stays until the last of them has ended.
            owners = set(running.values())
        self._popups[guid_of(page)] = Popup(unshared(page), owners)
        self._downloads.watch(page)
        if opener is not None and len(owners) == 1:
            self._on_page(next(iter(owners)), page)
        if not owners:
            self._tasks.spawn(self._close_late())

    async def close_for(self, attempt_id: str) -> None:
        """Close the popups that belonged to this attempt alone, or to none. The caller sets the deadline."""
        for popup in self._popups.values():
            popup.owners.discard(attempt_id)
        async with self._closing:
            await self._close_ownerless()

    @asynccontextmanager
    async def no_proof(self) -> AsyncIterator[None]:
        """No page is settled while the block runs: it may open a page that the driver does not report."""
        async with self._closing:
            yield

    async def settle(self, warm: WarmPage) -> None:
        """Close what `warm` has opened, and what belongs to no attempt, known to the driver or not.

        The browser has a new page at once, the driver only when it begins to load. Until the driver has reported all of
        them the browser is asked again, or the next job would see the page arrive. The caller sets the deadline.
        """
        # Nothing else closes pages meanwhile: only then do equal numbers mean that the driver has reported all.
        async with self._closing:
            try:
                async with asyncio.timeout(LIMITS.settle_seconds):
                    await self._close_until_all_known(warm.devtools)
            except TimeoutError:
                if not self._warned:
                    # Once: if it is a page of the browser's own and not a slow popup, every recycling waits for it.
                    self._warned = True
                    self._reporter.warn("the browser has pages that Playwright's driver did not report in time")
                await self._close_unknown(warm)
                await self._close_ownerless()

    async def _close_until_all_known(self, devtools: CDPSession) -> None:
        while True:
            all_known = len(await _pages_of(devtools)) == len(self._context.pages)
            if all_known and not await self._close_ownerless():
                return

    async def _close_unknown(self, warm: WarmPage) -> None:
        """Have the browser close pages that the driver did not report in time, but none that may be a running job's."""
        # Not while the pool opens a page of its own: the driver has not reported that one either.
        async with self._opening:
            targets = await _pages_of(warm.devtools)
            known = {await _target_of(self._context, page) for page in self._context.pages}
        family = {warm.target}
        while children := {each["targetId"] for each in targets if each.get("openerId") in family} - family:
            family |= children
        no_job_runs = not self._running.running()
        for target in {each["targetId"] for each in targets} - known:
            if no_job_runs or target in family:
                await _close_target(warm.devtools, target)

    async def _close_late(self) -> None:
        try:
            async with asyncio.timeout(LIMITS.close_seconds), self._closing:
                await self._close_ownerless()
        except (TimeoutError, BrowserError) as error:
            self._reporter.retire("pages", f"a popup could not be closed: {type(error).__name__}")

    async def _close_ownerless(self) -> bool:
        """Close every popup without an owner. Returns whether there was one."""
        # A page that the pool is opening looks like such a popup until `open_own` has its guid.
        async with self._opening:
            ownerless = {guid: each for guid, each in self._popups.items() if not each.owners}
            for guid in ownerless:
                del self._popups[guid]
        with own_work():
            await asyncio.gather(*(close_page(each.page) for each in ownerless.values()))
        return bool(ownerless)


async def _pages_of(devtools: CDPSession) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = (await devtools.send("Target.getTargets"))["targetInfos"]
    return [target for target in targets if target["type"] == "page" and not target["url"].startswith(BROWSER_PAGES)]


async def _target_of(context: BrowserContext, page: Page) -> str:
    devtools = await context.new_cdp_session(page)
    target = await target_of(devtools)
    await devtools.detach()
    return target


async def _close_target(devtools: CDPSession, target: str) -> None:
    try:
        await devtools.send("Target.closeTarget", {"targetId": target})
    except BrowserError as error:
        # It may have closed itself.
        if TARGET_GONE not in str(error):
            raise
