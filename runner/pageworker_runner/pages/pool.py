"""The page pool: which page an attempt gets, and how a used page becomes usable again.

`page_state.py` has the states of a page. `recycle.py` cleans a page. The pool replaces one that is not proved clean.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.errors import CleaningFailed, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.blank_page import forget_history, go_blank
from pageworker_runner.pages.client_hints import ClientHints
from pageworker_runner.pages.command_recorder import CommandRecorder
from pageworker_runner.pages.context_options import viewport
from pageworker_runner.pages.context_state import ContextState
from pageworker_runner.pages.downloads import Downloads
from pageworker_runner.pages.page_clocks import PageClocks
from pageworker_runner.pages.page_closing import close_page
from pageworker_runner.pages.page_state import PageEvent, PageState
from pageworker_runner.pages.playwright_internals.client_objects import guid_of
from pageworker_runner.pages.playwright_internals.listeners import drop_listeners
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import reset_context_timeouts
from pageworker_runner.pages.popups import Popups
from pageworker_runner.pages.recordings import Recordings
from pageworker_runner.pages.recycle import clean
from pageworker_runner.pages.redaction import redaction
from pageworker_runner.pages.revert import revert_context
from pageworker_runner.pages.slot import PageSlot, WarmPage, target_of, window_of
from pageworker_runner.pages.storage import wipe
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work
from pageworker_sandbox.wire.page_options import PageOptions

RESERVE_TIMES = 4
"""An attempt waits for a page that is cleaned, replaced, and whose context is wiped, each within `recycle_seconds`."""


@dataclass(frozen=True)
class PagePoolSettings:
    """How large the pool is, and what its browser context may keep."""

    pages: int
    persistent: bool
    """True: the browser context is a profile. False: it is wiped whenever none of its jobs runs."""
    recycle_seconds: float
    max_jobs: int
    """After this many jobs the runner asks to be retired."""
    default_timeout_seconds: float
    """Of Playwright's calls."""
    options: PageOptions
    """Those with which the browser context was opened."""


class SharedState(Protocol):
    """Something that all jobs of the runner share."""

    def take_back(self, *, alone: bool) -> str | None:
        """Set back what an ended job has changed. Returns why the runner must be retired, or None.

        `alone`: no other job runs.
        """


class PagePool:
    """The warm pages of one browser context."""

    def __init__(
        self,
        context: BrowserContext,
        settings: PagePoolSettings,
        tasks: Tasks,
        reporter: Reporter,
        on_crash: Callable[[str], None],
    ) -> None:
        """`on_crash` is called with the id of an attempt whose page crashed."""
        self._context = context
        self._settings = settings
        self._tasks = tasks
        self._reporter = reporter
        self._on_crash = on_crash
        self._slots: list[PageSlot] = []
        self._begun = 1
        """Pages that are open or being opened."""
        self._waiting = 0
        """Attempts that wait for a page."""
        self._changed = asyncio.Condition()
        self._must_wipe = False
        """True: an ephemeral context holds what ended jobs left. No job starts before it is wiped."""
        self._jobs = 0
        self._unclean_pages = 0
        self._shared: list[SharedState] = []
        self._downloads = Downloads()
        self._hints = ClientHints(context)
        self._popups = Popups(context, self, self._downloads, tasks, reporter, self._opened)
        self._clocks = PageClocks(context, self.pages_of)
        self.recorder = CommandRecorder(context, self._owner_of, self._popups.claim, self._clocks.run, self._give_clock)
        self.recordings = Recordings(context, self.recorder, reporter, redaction(settings.options))

    async def fill(self, interpreter: Sequence[SharedState] = ()) -> None:
        """Open the first page, which comes with the browser context. Raises Playwright's Error.

        The others are opened when as many jobs run at once: a page costs a renderer, and most contexts of a worker
        with many tenants never need a second one. From now on, what jobs share is compared with its state at this
        time.
        """
        with own_work():
            if self._context.pages:
                page = self._context.pages[0]
                self._popups.adopt(page)
            else:
                page = await self._popups.open_own()
            self._slots.append(PageSlot(0, await self._warm(0, page)))
        self._shared = [*interpreter, ContextState(self._context)]

    def running(self) -> dict[str, str]:
        """Page guid to attempt id, of all attempts that have a page now."""
        return {
            slot.warm.guid: slot.attempt
            for slot in self._slots
            if slot.attempt is not None and slot.state in (PageState.RESERVED, PageState.RUNNING)
        }

    def running_by_target(self) -> dict[str, str]:
        """The same by the browser's id of the page."""
        running = self.running()
        return {slot.warm.target: running[slot.warm.guid] for slot in self._slots if slot.warm.guid in running}

    def belongs_to(self, guid: str, attempt_id: str) -> bool:
        """Whether the page is the one of this attempt, or a popup that may be its own."""
        owner = self._owner_of(guid)
        return owner == attempt_id if owner is not None else self._popups.may_belong_to(guid, attempt_id)

    def pages_of(self, attempt_id: str) -> list[Page]:
        """The attempt's own page and its popups, without those that are closed."""
        own = [slot.page for slot in self._slots if slot.attempt == attempt_id]
        return [page for page in (*own, *self._popups.pages_of(attempt_id)) if not page.is_closed()]

    async def reserve(self, attempt_id: str) -> PageSlot:
        """A clean page for an attempt. Waits while pages are recycled. Raises PageLost if none becomes idle in time."""
        self._waiting += 1
        self._open_missing()
        try:
            async with asyncio.timeout(RESERVE_TIMES * self._settings.recycle_seconds):
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._must_wipe and self._idle())
                    slot = self._idle()[0]
                    slot.follow(PageEvent.RESERVE)
                    slot.attempt = attempt_id
                    return slot
        except TimeoutError:
            raise PageLost("No page of this runner became free in time.") from None
        finally:
            self._waiting -= 1

    def start(self, slot: PageSlot) -> None:
        """The attempt's handler begins."""
        slot.follow(PageEvent.START)
        self._jobs += 1
        if self._jobs == self._settings.max_jobs:
            self._reporter.retire("jobs", f"served {self._jobs} jobs")

    def finish(self, slot: PageSlot) -> None:
        """The attempt's result has been sent: none of its code runs any more."""
        slot.follow(PageEvent.FINISH if slot.state is PageState.RUNNING else PageEvent.RELEASE)
        busy = any(each.state in (PageState.RESERVED, PageState.RUNNING) for each in self._slots)
        if not self._settings.persistent and not busy:
            self._must_wipe = True

    async def recycle(self, slot: PageSlot) -> None:
        """Prove a finished page clean, or replace it. If neither works, the runner asks to be retired."""
        with own_work():
            usable = await self._cleaned(slot, slot.attempt or "") or await self._replaced(slot)
            self._take_back_shared(slot)
            slot.attempt = None
            async with self._changed:
                slot.follow(PageEvent.CLEAN if usable else PageEvent.LOSE)
                # Under the lock: of several pages that are recycled at once, exactly the last one wipes.
                if self._must_wipe and all(each.state in (PageState.IDLE, PageState.LOST) for each in self._slots):
                    await self._wipe()
                self._changed.notify_all()

    def no_proof(self) -> AbstractAsyncContextManager[None]:
        """No page is proved clean while the block runs."""
        return self._popups.no_proof()

    async def _cleaned(self, slot: PageSlot, attempt_id: str) -> bool:
        try:
            async with asyncio.timeout(self._settings.recycle_seconds):
                self.recorder.drop_listeners(attempt_id)
                await self._popups.close_for(attempt_id)
                await self._downloads.discard(slot.page)
                await self._revert_context(attempt_id)
                await clean(slot.warm, self.recorder.page(slot.warm.guid), self._settings.options)
                await self._popups.settle(slot.warm)
        except TimeoutError:
            self._count_unclean("it did not answer in time")
            return False
        except CleaningFailed as error:
            if not error.expected:
                self._count_unclean(str(error))
            return False
        except BrowserError as error:
            self._count_unclean(str(error).partition("\n")[0])
            return False
        self.recorder.forget_page(slot.warm.guid)
        return True

    async def _revert_context(self, attempt_id: str) -> None:
        if self._settings.persistent:
            # A profile keeps them, as a browser does.
            self._hints.drop()
        else:
            await self._hints.collect()
        by_attempt = self.recorder.by_attempt()
        if (effects := by_attempt.get(attempt_id)) is not None:
            if command := effects.first_permanent():
                self._reporter.retire(
                    "state", f"a module changed the browser context with {command}, which cannot be undone"
                )
            of_others = [other for owner, other in by_attempt.items() if owner != attempt_id]
            await revert_context(self._context, effects, of_others, self._settings.options)
        self.recorder.forget_attempt(attempt_id)
        self._clocks.forget_attempt(attempt_id)
        reset_context_timeouts(self._context, self._settings.default_timeout_seconds)

    def _take_back_shared(self, slot: PageSlot) -> None:
        others = {each.state for each in self._slots if each is not slot}
        busy = bool(others & {PageState.RESERVED, PageState.RUNNING})
        if PageState.RECYCLING in others and not busy:
            # Of several pages that are recycled at once, the last one does this for all.
            return
        for shared in self._shared:
            if reason := shared.take_back(alone=not busy):
                self._reporter.retire("state", reason)

    async def _replaced(self, slot: PageSlot) -> bool:
        """Close the page and open another. If the browser does not do that in time, the runner is retired."""
        old = slot.warm
        try:
            async with asyncio.timeout(self._settings.recycle_seconds):
                drop_listeners(old.page, {})
                await close_page(old.page)
                await self._downloads.discard(old.page)
                slot.warm = await self._warm(slot.index, await self._popups.open_own())
                await self._popups.settle(slot.warm)
        except (TimeoutError, BrowserError) as error:
            self._reporter.retire("pages", f"a page could not be replaced: {type(error).__name__}")
            return False
        self.recorder.forget_page(old.guid)
        self._popups.forget(old.page)
        return True

    async def _wipe(self) -> None:
        """Wipe an ephemeral browser context that no job uses. No job starts before that."""
        idle = self._idle()
        if not idle:
            return
        warm = idle[0].warm
        try:
            async with asyncio.timeout(self._settings.recycle_seconds):
                if await self._hints.forget(warm.page, warm.devtools):
                    await go_blank(warm.page)
                    await forget_history(warm.devtools)
                    warm.origins.clear()
                await wipe(self._context, warm.devtools, self._settings.options)
        except (TimeoutError, BrowserError) as error:
            self._reporter.retire("pages", f"the browser context could not be wiped: {type(error).__name__}")
            return
        self._must_wipe = False

    def _open_missing(self) -> None:
        """Open as many pages as attempts wait for, up to the number of the settings."""
        missing = self._waiting - len(self._idle()) - (self._begun - len(self._slots))
        for index in range(self._begun, min(self._begun + missing, self._settings.pages)):
            self._begun += 1
            self._tasks.spawn(self._open(index))

    async def _open(self, index: int) -> None:
        try:
            with own_work():
                async with asyncio.timeout(self._settings.recycle_seconds):
                    warm = await self._warm(index, await self._popups.open_own())
        except (TimeoutError, BrowserError) as error:
            self._reporter.retire("pages", f"a page could not be opened: {type(error).__name__}")
            return
        async with self._changed:
            self._slots.append(PageSlot(index, warm))
            if warm.crashed:
                self._crashed(index)
            self._changed.notify_all()

    def _count_unclean(self, reason: str) -> None:
        self._unclean_pages += 1
        self._reporter.warn(f"a page is replaced: {reason}")
        if self._unclean_pages == LIMITS.unclean_pages:
            self._reporter.retire(
                "pages", f"{self._unclean_pages} pages could not be proved clean; the last one: {reason}"
            )

    async def _warm(self, index: int, page: Page) -> WarmPage:
        await page.set_viewport_size(viewport(self._settings.options))
        devtools = await self._context.new_cdp_session(page)
        self._downloads.watch(page)
        warm = WarmPage(page, devtools, await target_of(devtools), lambda: self._crashed(index))
        warm.window = await window_of(devtools)
        return warm

    def _owner_of(self, guid: str) -> str | None:
        slot = next((slot for slot in self._slots if slot.warm.guid == guid), None)
        return None if slot is None else slot.attempt or ""

    def _crashed(self, index: int) -> None:
        slot = next((slot for slot in self._slots if slot.index == index), None)
        if slot is None:
            return  # `_open` looks whether it has crashed
        was_idle = slot.state is PageState.IDLE
        slot.follow(PageEvent.CRASH)
        if slot.attempt is not None:
            self._on_crash(slot.attempt)
        elif was_idle:
            self._reporter.warn("an idle page crashed and is replaced")
            self._tasks.spawn(self.recycle(slot))

    def _opened(self, attempt_id: str, page: Page) -> None:
        """A page of the attempt has opened another one."""
        if self._clocks.has(attempt_id):
            self._tasks.spawn(self._clocks.adopt(attempt_id, page))

    async def _give_clock(self, guid: str, attempt_id: str) -> None:
        for page in self._popups.pages_of(attempt_id):
            if guid_of(page) == guid:
                await self._clocks.adopt(attempt_id, page)

    def _idle(self) -> list[PageSlot]:
        return [slot for slot in self._slots if slot.state is PageState.IDLE]
