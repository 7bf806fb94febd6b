"""How each side effect is undone. A side effect that is not in a table here is a reason to replace the page."""

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


async def revert_page(page: Page, effects: SideEffects) -> None:
    """Undo `effects` on `page`. Raises Playwright's Error."""
    await asyncio.gather(*(undo(page) for effect, undo in PAGE.items() if effects.has(effect)), *_disposals(effects))


async def revert_context(context: BrowserContext, effects: SideEffects, of_others: list[SideEffects]) -> None:
    """Undo what one attempt left on the browser context, except for what another attempt still uses.

    Raises Playwright's Error.
    """
    await asyncio.gather(
        *(
            undo(context)
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
