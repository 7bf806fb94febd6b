"""The proof that a used page is as good as new. What fails it is replaced, never handed on."""

import asyncio

import msgspec
from playwright.async_api import Error as BrowserError
from playwright.async_api import Frame, Page

from pageworker_runner import inside, undo
from pageworker_runner.blank import BLANK, forget_history, go_blank
from pageworker_runner.errors import Unproved
from pageworker_runner.ledger import Mark
from pageworker_runner.slot import WarmPage, origin_of
from pageworker_runner.tap import Book

CLEAR_STORAGE = """asked => {
  try { sessionStorage.clear() } catch { /* a sandboxed frame has no storage */ return false }
  return location.origin === asked;
}"""
# window.name outlives a document.
LOOK = """() => { window.name = ''; return {
  url: location.href, frames: window.length,
  width: innerWidth, height: innerHeight, dark: matchMedia('(prefers-color-scheme: dark)').matches } }"""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the page itself says about its state."""

    url: str
    frames: int
    width: int
    height: int
    dark: bool


CLEAN = Seen(
    url=BLANK,
    frames=0,
    width=undo.VIEWPORT["width"],
    height=undo.VIEWPORT["height"],
    dark=False,
)


async def clean(warm: WarmPage, book: Book) -> None:
    """Clean the page and prove it. Raises Unproved. The caller sets the deadline."""
    page = warm.page
    inside.drop_listeners(page, warm.baseline)
    inside.reset_client_state(page)
    if reason := _beyond_cleaning(warm, book):
        raise Unproved(reason, foreseen=True)
    try:
        await undo.undo_page(page, book)
        await _leave(warm)
        answer, *_ = await asyncio.gather(
            page.evaluate(LOOK),
            page.clear_console_messages(),
            page.clear_page_errors(),
        )
        seen = msgspec.convert(answer, Seen, strict=False)
        await forget_history(warm.devtools)
    except (BrowserError, msgspec.ValidationError) as error:
        raise Unproved(str(error).partition("\n")[0]) from error
    if seen != CLEAN:
        raise Unproved(f"the page says {seen}")
    if left := inside.residue(page):
        raise Unproved(f"the client still has {', '.join(left)}")
    if inside.listeners_of(page) != warm.baseline:
        raise Unproved("listeners are left")
    warm.origins.clear()


def _beyond_cleaning(warm: WarmPage, book: Book) -> str | None:
    """Why this page is replaced without a try, or None."""
    if warm.crashed:
        return "its renderer crashed"
    if warm.taken:
        return "its handler did not let go"
    if warm.page.is_closed():
        return "it was closed"
    if command := book.beyond_undoing():
        return f"{command} can not be taken back"
    if book.has(Mark.PRESSED):
        return "a key or button is held down"
    if book.has(Mark.DIALOGS) and inside.has_open_dialog(warm.page):
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
