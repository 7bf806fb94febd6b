"""How each mark of the ledger is taken back. What is not named here can't be, and is a reason to replace the page."""

import asyncio
from collections.abc import Awaitable, Callable

from playwright.async_api import BrowserContext, Page, ViewportSize

from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.playwright_internals import dispose, drop_response
from pageworker_runner.pages.side_effects import SideEffect

VIEWPORT = ViewportSize(width=1280, height=720)

PAGE: dict[SideEffect, Callable[[Page], Awaitable[object]]] = {
    SideEffect.ROUTES: lambda page: page.unroute_all(behavior="ignoreErrors"),
    SideEffect.HEADERS: lambda page: page.set_extra_http_headers({}),
    SideEffect.MEDIA: lambda page: page.emulate_media(
        media="null", color_scheme="null", reduced_motion="null", forced_colors="null", contrast="null"
    ),
    SideEffect.VIEWPORT: lambda page: page.set_viewport_size(VIEWPORT),
}

CONTEXT: dict[SideEffect, Callable[[BrowserContext], Awaitable[object]]] = {
    SideEffect.ROUTES: lambda context: context.unroute_all(behavior="ignoreErrors"),
    SideEffect.HEADERS: lambda context: context.set_extra_http_headers({}),
    SideEffect.GEOLOCATION: lambda context: context.set_geolocation(None),
    SideEffect.PERMISSIONS: lambda context: context.clear_permissions(),
    SideEffect.OFFLINE: lambda context: context.set_offline(False),
    SideEffect.TRACING: lambda context: context.tracing.stop(),
}


async def undo_page(page: Page, book: SideEffects) -> None:
    """Take back what `book` says of `page`. Raises Playwright's Error."""
    await asyncio.gather(*(undo(page) for mark, undo in PAGE.items() if book.has(mark)), *_disposals(book))


async def undo_context(context: BrowserContext, book: SideEffects, others: list[SideEffects]) -> None:
    """Take back what one attempt left on the context, but nothing that another one still uses."""
    await asyncio.gather(
        *(
            undo(context)
            for mark, undo in CONTEXT.items()
            if book.has(mark) and not any(other.has(mark) for other in others)
        ),
        *_disposals(book),
    )


def _disposals(book: SideEffects) -> list[Awaitable[object]]:
    return [
        *(dispose(reply.future.result()) for reply in book.replies[SideEffect.DISPOSABLE] if reply.succeeded),
        *(
            drop_response(reply.target, reply.future.result())
            for reply in book.replies[SideEffect.RESPONSE]
            if reply.succeeded
        ),
    ]
