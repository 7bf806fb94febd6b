"""The proof that a used page is as good as new. What fails it is replaced, never handed on."""

import asyncio

import msgspec
from playwright.async_api import Error as BrowserError
from playwright.async_api import Frame, Page

from pageworker_runner.errors import Unproved
from pageworker_runner.pages import playwright_internals, revert
from pageworker_runner.pages.blank import BLANK, forget_history, go_blank
from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.side_effects import SideEffect
from pageworker_runner.pages.slot import WarmPage, origin_of

CLEAR_STORAGE = """asked => {
  try { sessionStorage.clear() } catch { /* a sandboxed frame has no storage */ return false }
  return location.origin === asked;
}"""
# window.name outlives a document.
LOOK = """() => { window.name = ''; return {
  url: location.href, frames: window.length,
  width: innerWidth, height: innerHeight, dark: matchMedia('(prefers-color-scheme: dark)').matches } }"""


class PageStorageState(msgspec.Struct, frozen=True, kw_only=True):
    """What the page itself says about its state."""

    url: str
    frames: int
    width: int
    height: int
    dark: bool


CLEAN = PageStorageState(
    url=BLANK,
    frames=0,
    width=revert.VIEWPORT["width"],
    height=revert.VIEWPORT["height"],
    dark=False,
)


async def clean(warm: WarmPage, book: SideEffects) -> None:
    """Clean the page and prove it. Raises Unproved. The caller sets the deadline."""
    page = warm.page
    playwright_internals.drop_listeners(page, warm.baseline)
    playwright_internals.reset_client_state(page)
    if reason := _beyond_cleaning(warm, book):
        raise Unproved(reason, foreseen=True)
    try:
        await revert.undo_page(page, book)
        await _leave(warm)
        answer, *_ = await asyncio.gather(
            page.evaluate(LOOK),
            page.clear_console_messages(),
            page.clear_page_errors(),
        )
        seen = msgspec.convert(answer, PageStorageState, strict=False)
        await forget_history(warm.devtools)
    except (BrowserError, msgspec.ValidationError) as error:
        raise Unproved(str(error).partition("\n")[0]) from error
    if seen != CLEAN:
        raise Unproved(f"the page says {seen}")
    if left := playwright_internals.residue(page):
        raise Unproved(f"the client still has {', '.join(left)}")
    if playwright_internals.listeners_of(page) != warm.baseline:
        raise Unproved("listeners are left")
    warm.origins.clear()


def _beyond_cleaning(warm: WarmPage, book: SideEffects) -> str | None:
    """Why this page is replaced without a try, or None."""
    if warm.crashed:
        return "its renderer crashed"
    if warm.handler_stuck:
        return "its handler did not let go"
    if warm.page.is_closed():
        return "it was closed"
    if command := book.beyond_undoing():
        return f"{command} can not be taken back"
    if book.has(SideEffect.PRESSED):
        return "a key or button is held down"
    if book.has(SideEffect.DIALOGS) and playwright_internals.has_open_dialog(warm.page):
        return "a dialog stands open"
    return None


async def _leave(warm: WarmPage) -> None:
    """Clear the tab's session storage, then leave the document. Raises Unproved.

    Session storage lives as long as its tab, and can only be cleared from a document of its origin.
    """
    tried: set[str] = set()
    cleared: set[str] = set()
    while late := _origins_now(warm.page) - tried:
        tried |= late
        cleared |= await _clear_storage(warm.page)
    await go_blank(warm.page)
    if beyond := warm.origins - cleared:
        raise Unproved(f"session storage of {min(beyond)} is out of reach", foreseen=True)


async def _clear_storage(page: Page) -> set[str]:
    """The origins that were cleared."""
    frames = [(frame, origin) for frame in page.frames if (origin := origin_of(frame.url))]
    answers = await asyncio.gather(*(_clear_frame(frame, origin) for frame, origin in frames))
    return {origin for (_, origin), done in zip(frames, answers, strict=True) if done}


async def _clear_frame(frame: Frame, origin: str) -> bool:
    try:
        done: bool = await frame.evaluate(CLEAR_STORAGE, origin)
    except BrowserError:
        # The document went away under the call; where it was the last of its origin, the page is replaced.
        return False
    return done


def _origins_now(page: Page) -> set[str]:
    return {origin for frame in page.frames if (origin := origin_of(frame.url))}
