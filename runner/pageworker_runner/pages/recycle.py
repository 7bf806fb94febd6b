"""Cleans a used page and proves that it is like a new one. A page without this proof is replaced, never reused."""

import asyncio

import msgspec
from playwright.async_api import Error as BrowserError
from playwright.async_api import Frame, Page

from pageworker_runner.errors import CleaningFailed
from pageworker_runner.pages.blank_page import BLANK, forget_history, go_blank
from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.context_options import viewport
from pageworker_runner.pages.playwright_internals.dialogs import has_open_dialog
from pageworker_runner.pages.playwright_internals.listeners import drop_listeners, listeners_of
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import reset_client_state
from pageworker_runner.pages.revert import revert_on_blank, revert_page
from pageworker_runner.pages.side_effects import SideEffect
from pageworker_runner.pages.slot import WarmPage, origin_of, window_of
from pageworker_sandbox.wire.page_options import PageOptions

CLEANINGS_PER_COLLECTION = 10
"""Chromium frees the documents that a page has left only when memory is short, which it is not: a renderer that has
shown 350 small documents holds 500 MB, and 50 MB after a collection. A collection costs some milliseconds."""

JOBS_PER_PAGE = 100
"""Then the page is replaced. Playwright keeps the request and the response of each navigation for as long as its page
is open, up to 10,000 of them: 8 KB per job in its client alone (`maxDispatchersForBucket` in its dispatcher.ts)."""

CLEAR_STORAGE = """expected => {
  try { sessionStorage.clear() } catch { /* a sandboxed frame has no storage */ return false }
  return location.origin === expected;
}"""
# window.name outlives a document.
# So does the clipboard, which all pages of the browser share. An empty text empties it.
READ_STATE = """mobile => { window.name = '';
  addEventListener('copy', event => { event.clipboardData.setData('text/plain', ''); event.preventDefault() },
    {once: true});
  document.execCommand('copy');
  // The layout of about:blank on a mobile page is 980 pixels wide, whatever its viewport is.
  const [width, height] = mobile ? [screen.width, screen.height] : [innerWidth, innerHeight];
  return {
  url: location.href, frames: window.length,
  width, height, clock: '__pwClock' in globalThis, dark: matchMedia('(prefers-color-scheme: dark)').matches } }"""


class PageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the page itself reports about its state."""

    url: str
    frames: int
    width: int
    height: int
    dark: bool
    clock: bool
    """It has a clock of Playwright."""


def unused(options: PageOptions) -> PageFacts:
    """What a new page reports."""
    size = viewport(options)
    dark = options.color_scheme == "dark"
    return PageFacts(url=BLANK, frames=0, width=size["width"], height=size["height"], dark=dark, clock=False)


async def clean(warm: WarmPage, effects: SideEffects, options: PageOptions) -> None:
    """Clean the page and prove that it is as the `options` of its browser context say.

    Raises CleaningFailed. The caller sets the deadline.
    """
    page = warm.page
    warm.public.restore()
    drop_listeners(page, warm.baseline)
    reset_client_state(page)
    if reason := _why_not_cleanable(warm, effects):
        raise CleaningFailed(reason, expected=True)
    try:
        await revert_page(page, effects, options)
        await _leave(warm)
        answer, window, *_ = await asyncio.gather(
            page.evaluate(READ_STATE, bool(options.is_mobile)),
            window_of(warm.devtools),
            page.clear_console_messages(),
            page.clear_page_errors(),
            *revert_on_blank(page, effects),
        )
        facts = msgspec.convert(answer, PageFacts, strict=False)
        await forget_history(warm.devtools)
        await _collect_garbage(warm)
    except (BrowserError, msgspec.ValidationError) as error:
        raise CleaningFailed(str(error).partition("\n")[0]) from error
    if window != warm.window:
        # The headless shell lets every script do that.
        raise CleaningFailed("its window was moved or resized", expected=True)
    if facts != unused(options):
        raise CleaningFailed(f"after cleaning, the page reports {facts}")
    if left := warm.client.changed():
        raise CleaningFailed(f"Playwright's client still has changes of {', '.join(left)}")
    if listeners_of(page) != warm.baseline:
        raise CleaningFailed("event listeners are left")
    warm.origins.clear()


async def _collect_garbage(warm: WarmPage) -> None:
    """Free the documents that the page has left, once in some cleanings."""
    warm.cleanings += 1
    if warm.cleanings % CLEANINGS_PER_COLLECTION == 0:
        await warm.devtools.send("HeapProfiler.collectGarbage")


def _why_not_cleanable(warm: WarmPage, effects: SideEffects) -> str | None:
    """Why this page is replaced without trying to clean it. None: it is tried."""
    if warm.crashed:
        return "its renderer crashed"
    if warm.cleanings + 1 >= JOBS_PER_PAGE:
        return f"it has served {JOBS_PER_PAGE} jobs"
    if warm.handler_stuck:
        return "its handler suppressed its cancellation"
    if warm.scripts_off:
        return "its scripts were switched off"
    if warm.page.is_closed():
        return "it was closed"
    if command := effects.first_permanent():
        return f"{command} cannot be undone"
    if effects.has(SideEffect.PRESSED):
        return "a key or mouse button is held down"
    if effects.has(SideEffect.DIALOGS) and has_open_dialog(warm.page):
        return "a dialog is open"
    return None


async def _leave(warm: WarmPage) -> None:
    """Clear the tab's session storage, then leave the document. Raises CleaningFailed.

    Session storage lives as long as its tab. It can be cleared only from a document of its own origin.
    """
    tried: set[str] = set()
    cleared: set[str] = set()
    while late := _origins_now(warm.page) - tried:
        tried |= late
        cleared |= await _clear_storage(warm.page)
    await go_blank(warm.page)
    if left := warm.origins - cleared:
        raise CleaningFailed(f"session storage of {min(left)} cannot be cleared: the page has left it", expected=True)


async def _clear_storage(page: Page) -> set[str]:
    """The origins whose session storage was cleared."""
    frames = [(frame, origin) for frame in page.frames if (origin := origin_of(frame.url))]
    answers = await asyncio.gather(*(_clear_frame(frame, origin) for frame, origin in frames))
    return {origin for (_, origin), done in zip(frames, answers, strict=True) if done}


async def _clear_frame(frame: Frame, origin: str) -> bool:
    try:
        done: bool = await frame.evaluate(CLEAR_STORAGE, origin)
    except BrowserError:
        # The document went away during the call. If it was the last one of its origin, the page is replaced.
        return False
    return done


def _origins_now(page: Page) -> set[str]:
    return {origin for frame in page.frames if (origin := origin_of(frame.url))}
