"""The pool: which page an attempt gets, and how a used one comes back. States and their order stand in `life`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.errors import PageLost, Unproved
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages import revert
from pageworker_runner.pages.command_recorder import CommandRecorder
from pageworker_runner.pages.page_state import PageEvent, PageState
from pageworker_runner.pages.playwright_internals import drop_listeners, reset_context_timeouts
from pageworker_runner.pages.popups import Popups
from pageworker_runner.pages.recycle import clean
from pageworker_runner.pages.slot import PageSlot, WarmPage, target_of
from pageworker_runner.pages.storage import wipe
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work


@dataclass(frozen=True)
class PagePoolPlan:
    """How big the pool is and what its context may remember."""

    pages: int
    persistent: bool
    recycle_seconds: float
    max_jobs: int
    default_timeout_seconds: float
    """Of Playwright's calls."""


class PagePool:
    """N warm pages of one browser context. `crashed` is told of attempts whose page died."""

    def __init__(
        self,
        context: BrowserContext,
        plan: PagePoolPlan,
        tasks: Tasks,
        reporter: Reporter,
        crashed: Callable[[str], None],
    ) -> None:
        self._context = context
        self._plan = plan
        self._tasks = tasks
        self._reporter = reporter
        self._retire = reporter.retire
        self._tell_crash = crashed
        self._slots: list[PageSlot] = []
        self._changed = asyncio.Condition()
        self._used = False
        """An ephemeral context holds what jobs left, and none of them runs any more: no job may start."""
        self._jobs = 0
        self._unproved = 0
        self.tap = CommandRecorder(context, self._holder)
        self._visitors = Popups(context, self, tasks, reporter)

    async def fill(self) -> None:
        """Open all pages. The first one comes with the context. Raises Playwright's Error."""
        with own_work():
            for index in range(self._plan.pages):
                if index == 0 and self._context.pages:
                    page = self._context.pages[0]
                    self._visitors.adopt(page)
                else:
                    page = await self._visitors.open_own()
                self._slots.append(PageSlot(index, await self._warm(index, page)))

    def running(self) -> dict[str, str]:
        """Page guid to attempt id, of all attempts whose code has a page now."""
        return {
            slot.warm.guid: slot.attempt
            for slot in self._slots
            if slot.attempt is not None and slot.state in (PageState.RESERVED, PageState.RUNNING)
        }

    async def reserve(self, attempt: str) -> PageSlot:
        """A clean page for `attempt`. Waits while one is being cleaned. Raises PageLost where none comes."""
        try:
            async with asyncio.timeout(4 * self._plan.recycle_seconds):
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._used and self._idle())
                    slot = self._idle()[0]
                    slot.follow(PageEvent.RESERVE)
                    slot.attempt = attempt
                    return slot
        except TimeoutError:
            raise PageLost("no page of this runner came free") from None

    def start(self, slot: PageSlot) -> None:
        """The handler begins."""
        slot.follow(PageEvent.START)
        self._jobs += 1
        if self._jobs == self._plan.max_jobs:
            self._retire(f"served {self._jobs} jobs")

    def finish(self, slot: PageSlot) -> None:
        """The attempt's result has been given: nothing of it runs any more."""
        slot.follow(PageEvent.FINISH if slot.state is PageState.RUNNING else PageEvent.RELEASE)
        busy = any(each.state in (PageState.RESERVED, PageState.RUNNING) for each in self._slots)
        if not self._plan.persistent and not busy:
            self._used = True

    async def recycle(self, slot: PageSlot) -> None:
        """Prove a finished page clean, or replace it. Where neither can be done the runner asks to be retired."""
        with own_work():
            kept = await self._cleaned(slot, slot.attempt or "") or await self._replaced(slot)
            slot.attempt = None
            async with self._changed:
                slot.follow(PageEvent.CLEAN if kept else PageEvent.LOSE)
                # Under the lock: of several pages that come back at once, exactly the last one wipes.
                if self._used and all(each.state in (PageState.IDLE, PageState.LOST) for each in self._slots):
                    await self._forget()
                self._changed.notify_all()

    async def _cleaned(self, slot: PageSlot, attempt: str) -> bool:
        try:
            async with asyncio.timeout(self._plan.recycle_seconds):
                self.tap.drop_listeners(attempt)
                await self._visitors.close_for(attempt)
                await self._restore_context(attempt)
                await clean(slot.warm, self.tap.page(slot.warm.guid))
                await self._visitors.settle(slot.warm)
        except TimeoutError:
            self._doubt("it did not answer in time")
            return False
        except Unproved as error:
            if not error.foreseen:
                self._doubt(str(error))
            return False
        except BrowserError as error:
            self._doubt(str(error).partition("\n")[0])
            return False
        self.tap.close_page(slot.warm.guid)
        return True

    async def _restore_context(self, attempt: str) -> None:
        books = self.tap.context_books()
        if (book := books.get(attempt)) is not None:
            if command := book.beyond_undoing():
                self._retire(f"a module changed the context with {command}")
            others = [other for owner, other in books.items() if owner != attempt]
            await revert.undo_context(self._context, book, others)
        self.tap.close_attempt(attempt)
        reset_context_timeouts(self._context, self._plan.default_timeout_seconds)

    async def _replaced(self, slot: PageSlot) -> bool:
        """Close the page and open another. A browser that does neither in time is not to be trusted."""
        old = slot.warm
        try:
            async with asyncio.timeout(self._plan.recycle_seconds):
                drop_listeners(old.page, {})
                if not old.page.is_closed():
                    await old.page.close()
                slot.warm = await self._warm(slot.index, await self._visitors.open_own())
                await self._visitors.settle(slot.warm)
        except (TimeoutError, BrowserError) as error:
            self._retire(f"a page could not be replaced: {type(error).__name__}")
            return False
        self.tap.close_page(old.guid)
        self._visitors.forget(old.page)
        return True

    async def _forget(self) -> None:
        """Wipe an ephemeral context that nobody uses. No job starts before that."""
        healthy = self._idle()
        if not healthy:
            return
        try:
            async with asyncio.timeout(self._plan.recycle_seconds):
                await wipe(self._context, healthy[0].warm.devtools)
        except (TimeoutError, BrowserError) as error:
            self._retire(f"the context could not be wiped: {type(error).__name__}")
            return
        self._used = False

    def _doubt(self, reason: str) -> None:
        self._unproved += 1
        self._reporter.say(f"a page is replaced: {reason}")
        if self._unproved == LIMITS.unproved_pages:
            self._retire(f"{self._unproved} pages could not be proved clean; the last one: {reason}")

    async def _warm(self, index: int, page: Page) -> WarmPage:
        await page.set_viewport_size(revert.VIEWPORT)
        devtools = await self._context.new_cdp_session(page)
        return WarmPage(page, devtools, await target_of(devtools), lambda: self._crashed(index))

    def _holder(self, guid: str) -> str | None:
        slot = next((slot for slot in self._slots if slot.warm.guid == guid), None)
        return None if slot is None else slot.attempt or ""

    def _crashed(self, index: int) -> None:
        slot = self._slots[index]
        was_idle = slot.state is PageState.IDLE
        slot.follow(PageEvent.CRASH)
        if slot.attempt is not None:
            self._tell_crash(slot.attempt)
        elif was_idle:
            self._reporter.say("an idle page crashed and is replaced")
            self._tasks.spawn(self.recycle(slot))

    def _idle(self) -> list[PageSlot]:
        return [slot for slot in self._slots if slot.state is PageState.IDLE]
