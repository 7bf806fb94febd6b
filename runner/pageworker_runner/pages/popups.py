"""Pages that the pool did not open: popups, and what modules open. They belong to attempts and go with them."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.playwright_internals import guid_of, opener_of
from pageworker_runner.pages.slot import WarmPage, target_of
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work

GONE = "No target found"
BROWSERS_OWN = ("chrome://", "chrome-untrusted://", "chrome-extension://", "devtools://")
"""Parts of the full browser's own window are pages to it, such as chrome://omnibox-popup.top-chrome/; the driver
never tells of them, and no job can open one."""


class RunningPages(Protocol):
    """Who knows which attempts run where."""

    def running(self) -> dict[str, str]:
        """Page guid to attempt id, of all attempts that have a page now."""


@dataclass(eq=False)
class Popup:
    """A page and the attempts it may belong to."""

    page: Page
    owners: set[str]


class Popups:
    """All pages of the context that are not the pool's."""

    def __init__(self, context: BrowserContext, running: RunningPages, tasks: Tasks, reporter: Reporter) -> None:
        self._context = context
        self._running = running
        self._tasks = tasks
        self._reporter = reporter
        self._told = False
        self._visitors: dict[str, Popup] = {}
        self._own: set[str] = set()
        self._opening = asyncio.Lock()
        self._closing = asyncio.Lock()
        context.on("page", self._arrived)

    async def open_own(self) -> Page:
        """Open a page for the pool: no visitor."""
        async with self._opening:
            page = await self._context.new_page()
            self._own.add(guid_of(page))
            self._visitors.pop(guid_of(page), None)
            return page

    def adopt(self, page: Page) -> None:
        """A page that came with the context is the pool's."""
        self._own.add(guid_of(page))

    def forget(self, page: Page) -> None:
        """A page of the pool is gone."""
        self._own.discard(guid_of(page))

    def _arrived(self, page: Page) -> None:
        if guid_of(page) in self._own:
            return
        running = self._running.running()
        opener = opener_of(page)
        if opener in running:
            owners = {running[opener]}
        elif opener in self._visitors:
            owners = set(self._visitors[opener].owners)
        elif opener in self._own:
            # Its attempt has ended meanwhile.
            owners = set()
        else:
            # Without a known opener it may be anybody's, and stays until the last of them has ended.
            owners = set(running.values())
        self._visitors[guid_of(page)] = Popup(page, owners)
        if not owners:
            self._tasks.spawn(self._close_latecomers())

    async def close_for(self, attempt: str) -> None:
        """Close what belonged to `attempt` alone, and what belongs to nobody. The caller sets the deadline."""
        for visitor in self._visitors.values():
            visitor.owners.discard(attempt)
        async with self._closing:
            await self._close_strays()

    async def settle(self, warm: WarmPage) -> None:
        """Close what `warm` has opened and what is nobody's, seen or not. The caller sets the deadline.

        A page is the browser's at once, and the driver's once it has begun to load. So long the browser is asked again,
        or the next job would see it come.
        """
        # Nothing else closes meanwhile: only then do the two numbers say that all are known.
        async with self._closing:
            try:
                async with asyncio.timeout(LIMITS.settle_seconds):
                    await self._close_all_strays(warm.devtools)
            except TimeoutError:
                if not self._told:
                    # Once: where it is no slow popup but a page of the browser's own, every recycling waits for it.
                    self._told = True
                    self._reporter.say("the browser has pages that the driver did not tell of in time")
                await self._close_unknown(warm)
                await self._close_strays()

    async def _close_all_strays(self, devtools: CDPSession) -> None:
        while True:
            all_known = len(await _pages_of(devtools)) == len(self._context.pages)
            if all_known and not await self._close_strays():
                return

    async def _close_unknown(self, warm: WarmPage) -> None:
        """Have the browser close what the driver has not told of in time. What may be a running job's stays."""
        # Not while the pool opens a page of its own: that is unknown, too.
        async with self._opening:
            targets = await _pages_of(warm.devtools)
            known = {await _target_of(self._context, page) for page in self._context.pages}
        family = {warm.target}
        while born := {each["targetId"] for each in targets if each.get("openerId") in family} - family:
            family |= born
        alone = not self._running.running()
        for target in {each["targetId"] for each in targets} - known:
            if alone or target in family:
                await _close_target(warm.devtools, target)

    async def _close_latecomers(self) -> None:
        try:
            async with asyncio.timeout(LIMITS.close_seconds), self._closing:
                await self._close_strays()
        except (TimeoutError, BrowserError) as error:
            self._reporter.retire(f"a popup could not be closed: {type(error).__name__}")

    async def _close_strays(self) -> bool:
        """True: there were some."""
        # A page that the pool itself is opening right now looks like a stray, until it has it.
        async with self._opening:
            leaving = {guid: each for guid, each in self._visitors.items() if not each.owners}
            for guid in leaving:
                del self._visitors[guid]
        with own_work():
            await asyncio.gather(*(_close(each.page) for each in leaving.values()))
        return bool(leaving)


async def _pages_of(devtools: CDPSession) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = (await devtools.send("Target.getTargets"))["targetInfos"]
    return [target for target in targets if target["type"] == "page" and not target["url"].startswith(BROWSERS_OWN)]


async def _target_of(context: BrowserContext, page: Page) -> str:
    devtools = await context.new_cdp_session(page)
    target = await target_of(devtools)
    await devtools.detach()
    return target


async def _close_target(devtools: CDPSession, target: str) -> None:
    try:
        await devtools.send("Target.closeTarget", {"targetId": target})
    except BrowserError as error:
        # It closed itself meanwhile.
        if GONE not in str(error):
            raise


async def _close(page: Page) -> None:
    if page.is_closed():
        return
    try:
        await page.close()
    except BrowserError:
        # It closed itself meanwhile; anything worse shows in the context's own close event.
        if not page.is_closed():
            raise
