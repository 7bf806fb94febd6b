"""Event listeners and other callbacks that are passed to Playwright."""

from collections.abc import Callable
from typing import Any

from playwright._impl._async_base import mapping
from playwright.async_api import BrowserContext, Page

from pageworker_runner.pages.playwright_internals.client_objects import impl_of

Listeners = dict[Any, list[Callable[..., Any]]]


def listeners_of(page: Page) -> Listeners:
    """All listeners of a page, by event."""
    impl = impl_of(page)
    return {event: impl.raw_listeners(event) for event in impl.event_names()}


def drop_listeners(page: Page, kept: Listeners) -> None:
    """Remove every listener that is not in `kept`. A removed listener that still runs is not waited for."""
    impl = impl_of(page)
    for event in list(impl.event_names()):
        for listener in impl.raw_listeners(event):
            if listener not in kept.get(event, []):
                impl.remove_listener(event, listener)


def intercept_listeners(context: BrowserContext, on_added: Callable[[Callable[[], None]], None]) -> None:
    """Call `on_added` for every new listener of the browser context and its browser, with what removes it."""

    def intercept(emitter: Any) -> None:
        plain = emitter._add_listener

        def add(event: Any, listener: Callable[..., Any], prepend: bool) -> Any:
            on_added(lambda: emitter.remove_listener(event, listener))
            return plain(event, listener, prepend)

        vars(emitter)["_add_listener"] = add

    intercept(context._impl_obj)
    intercept(context._impl_obj._browser)


def report_listener_errors(context: BrowserContext, report: Callable[[BaseException], None]) -> None:
    """Pass errors of event listeners to `report`. By default the next call raises them, in whatever job it is."""
    vars(context._impl_obj._connection)["_on_event_listener_error"] = report


def wrap_callbacks(wrap: Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace every callback that is passed to Playwright by `wrap(callback, the callback as Playwright calls it)`."""
    plain = mapping.wrap_handler
    vars(mapping)["wrap_handler"] = lambda handler: wrap(handler, plain(handler))
