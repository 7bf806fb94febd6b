"""What the runner reads and resets inside Playwright's client, where its public interface offers nothing."""

from collections.abc import Callable
from typing import Any

from playwright._impl._async_base import mapping
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.dialog import Dialog
from playwright._impl.disposable import DisposableObject
from playwright._impl.errors import TargetClosedError
from playwright._impl.fetch import APIRequestContext
from playwright._impl.page import Page as ImplPage
from playwright.async_api import BrowserContext, Page

from pageworker_runner.reporting.error_text import text_of

Listeners = dict[Any, list[Callable[..., Any]]]


def guid_of(page: Page) -> str:
    """The driver's id of a page."""
    return _impl(page)._guid


def opener_of(page: Page) -> str | None:
    """Guid of the page that opened this one. That page may be closed by now."""
    opener = _impl(page)._opener
    return opener._guid if opener is not None else None


def listeners_of(page: Page) -> Listeners:
    """All listeners of a page, by event."""
    impl = _impl(page)
    return {event: impl.raw_listeners(event) for event in impl.event_names()}


def drop_listeners(page: Page, kept: Listeners) -> None:
    """Remove every listener that is not in `kept`. A removed listener that still runs is not waited for."""
    impl = _impl(page)
    for event in list(impl.event_names()):
        for listener in impl.raw_listeners(event):
            if listener not in kept.get(event, []):
                impl.remove_listener(event, listener)


def reset_client_state(page: Page) -> None:
    """Reset what only Playwright's client keeps: default timeouts and names of bindings."""
    impl = _impl(page)
    impl._timeout_settings.set_default_timeout(None)
    impl._timeout_settings.set_default_navigation_timeout(None)
    impl._bindings.clear()


def reset_context_timeouts(context: BrowserContext, timeout_seconds: float) -> None:
    """Set the default timeout of all pages, which only Playwright's client keeps."""
    settings = context._impl_obj._timeout_settings
    settings.set_default_timeout(timeout_seconds * 1000)
    settings.set_default_navigation_timeout(None)


def leftovers(page: Page) -> list[str]:
    """What Playwright's client still keeps of earlier work on this page. Empty for a clean page."""
    impl = _impl(page)
    kept = {
        "routes": impl._routes,
        "web socket routes": impl._web_socket_routes,
        "bindings": impl._bindings,
        "locator handlers": impl._locator_handlers,
        "har routers": impl._har_routers,
        "workers": impl._workers,
    }
    return [name for name, things in kept.items() if things]


def has_open_dialog(page: Page) -> bool:
    """Whether a dialog of this page waits for an answer."""
    return bool(_open_dialogs(page))


async def dismiss_dialogs(page: Page) -> None:
    """Close the dialogs that wait for an answer. Raises Playwright's Error."""
    for dialog in _open_dialogs(page):
        await dialog.dismiss()


def _open_dialogs(page: Page) -> list[Dialog]:
    return [child for child in _impl(page)._objects.values() if isinstance(child, Dialog)]


def watch_driver(context: BrowserContext, on_end: Callable[[], None]) -> None:
    """Call `on_end` when the connection to the driver ends."""
    context._impl_obj._connection.once("close", lambda *_: on_end())


def report_listener_errors(context: BrowserContext, report: Callable[[BaseException], None]) -> None:
    """Pass errors of event listeners to `report`. By default the next call raises them, in whatever job it is."""
    vars(context._impl_obj._connection)["_on_event_listener_error"] = report


def wrap_callbacks(wrap: Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace every callback that is passed to Playwright by `wrap(callback, the callback as Playwright calls it)`."""
    plain = mapping.wrap_handler
    vars(mapping)["wrap_handler"] = lambda handler: wrap(handler, plain(handler))


def is_closed_error(error: BaseException) -> bool:
    """Whether a call failed because its page, browser context or browser is gone."""
    return isinstance(error, TargetClosedError) or "Target crashed" in text_of(error)


async def dispose(reply: dict[str, Any]) -> None:
    """Undo a command that the driver answered with a disposable object: an init script, a binding."""
    owner: DisposableObject = reply["disposable"]._object
    await owner.dispose()


async def drop_response(requests: ChannelOwner, reply: dict[str, Any]) -> None:
    """Have the driver delete the body of a response to `page.request`."""
    if isinstance(requests, APIRequestContext):
        await requests._channel.disposeAPIResponse(fetchUid=reply["response"]["fetchUid"])


def _impl(page: Page) -> ImplPage:
    impl: ImplPage = page._impl_obj
    return impl
