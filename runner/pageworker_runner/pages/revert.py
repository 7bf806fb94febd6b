"""How each side effect is undone. A side effect that is not in a table here is a reason to replace the page."""

import asyncio
from collections.abc import Awaitable, Callable

from playwright.async_api import BrowserContext, Page

from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.context_options import geolocation, reset_permissions, viewport
from pageworker_runner.pages.playwright_internals.commands import dispose, drop_response
from pageworker_runner.pages.side_effects import SideEffect
from pageworker_sandbox.wire.page_options import PageOptions

PAGE: dict[SideEffect, Callable[[Page, PageOptions], Awaitable[object]]] = {
    SideEffect.ROUTES: lambda page, options: page.unroute_all(behavior="ignoreErrors"),
    # Those of the browser context stay.
    SideEffect.HEADERS: lambda page, options: page.set_extra_http_headers({}),
    SideEffect.MEDIA: lambda page, options: page.emulate_media(
        media="null",
        color_scheme=options.color_scheme or "null",
        reduced_motion=options.reduced_motion or "null",
        forced_colors=options.forced_colors or "null",
        contrast=options.contrast or "null",
    ),
    SideEffect.VIEWPORT: lambda page, options: page.set_viewport_size(viewport(options)),
}

ON_BLANK: dict[SideEffect, Callable[[Page], Awaitable[object]]] = {
    # A new page has its pointer there, for Playwright's driver and for the browser. The old document must not see it.
    SideEffect.POINTER: lambda page: page.mouse.move(0, 0),
}
"""What is undone once the page has left its document."""

CONTEXT: dict[SideEffect, Callable[[BrowserContext, PageOptions], Awaitable[object]]] = {
    SideEffect.ROUTES: lambda context, options: context.unroute_all(behavior="ignoreErrors"),
    SideEffect.HEADERS: lambda context, options: context.set_extra_http_headers(options.extra_http_headers or {}),
    SideEffect.GEOLOCATION: lambda context, options: context.set_geolocation(geolocation(options)),
    SideEffect.PERMISSIONS: lambda context, options: reset_permissions(context, options),
    SideEffect.OFFLINE: lambda context, options: context.set_offline(False),
}


async def revert_page(page: Page, effects: SideEffects, options: PageOptions) -> None:
    """Undo `effects` on `page`, to what the `options` of its browser context say. Raises Playwright's Error."""
    undone = (undo(page, options) for effect, undo in PAGE.items() if effects.has(effect))
    await asyncio.gather(*undone, *_disposals(effects))


def revert_on_blank(page: Page, effects: SideEffects) -> list[Awaitable[object]]:
    """Undo what can be undone only at about:blank. The awaitables raise Playwright's Error."""
    return [undo(page) for effect, undo in ON_BLANK.items() if effects.has(effect)]


async def revert_context(
    context: BrowserContext, effects: SideEffects, of_others: list[SideEffects], options: PageOptions
) -> None:
    """Undo what one attempt left on the browser context, except for what another attempt still uses.

    Raises Playwright's Error.
    """
    await asyncio.gather(
        *(
            undo(context, options)
            for effect, undo in CONTEXT.items()
            if effects.has(effect) and not any(other.has(effect) for other in of_others)
        ),
        *_disposals(effects),
    )


def _disposals(effects: SideEffects) -> list[Awaitable[object]]:
    return [
        *(dispose(reply.future.result()) for reply in effects.replies[SideEffect.DISPOSABLE] if reply.succeeded),
        *(
            drop_response(reply.target, reply.future.result())
            for reply in effects.replies[SideEffect.RESPONSE]
            if reply.succeeded
        ),
    ]
