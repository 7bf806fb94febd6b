"""What the runner reads and resets inside Playwright's client, where its public interface has no word for it."""

from collections.abc import Callable
from typing import Any

from playwright._impl._async_base import mapping
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.disposable import DisposableObject
from playwright._impl.errors import TargetClosedError
from playwright._impl.fetch import APIRequestContext
from playwright._impl.page import Page as ImplPage
from playwright.async_api import BrowserContext, Page

from pageworker_runner.reporting.error_text import words

Listeners = dict[Any, list[Callable[..., Any]]]


def guid_of(page: Page) -> str:
    """The driver's name of a page."""
    return _impl(page)._guid


def opener_of(page: Page) -> str | None:
    """Guid of the page that opened this one, though it may be closed by now."""
    opener = _impl(page)._opener
    return opener._guid if opener is not None else None


def listeners_of(page: Page) -> Listeners:
    """All listeners of a page, by event."""
    impl = _impl(page)
    return {event: impl.raw_listeners(event) for event in impl.event_names()}


def drop_listeners(page: Page, kept: Listeners) -> None:
    """Remove every listener that is not in `kept`. What a removed one still does is no longer waited for."""
    impl = _impl(page)
    for event in list(impl.event_names()):
        for listener in impl.raw_listeners(event):
            if listener not in kept.get(event, []):
                impl.remove_listener(event, listener)


def reset_client_state(page: Page) -> None:
    """What only the client keeps: default timeouts and names of bindings."""
    impl = _impl(page)
    impl._timeout_settings.set_default_timeout(None)
    impl._timeout_settings.set_default_navigation_timeout(None)
    impl._bindings.clear()


def reset_context_timeouts(context: BrowserContext, timeout_seconds: float) -> None:
    """Default timeouts of all pages, which only the client keeps."""
    settings = context._impl_obj._timeout_settings
    settings.set_default_timeout(timeout_seconds * 1000)
    settings.set_default_navigation_timeout(None)


def residue(page: Page) -> list[str]:
    """What the client still knows of earlier work on this page; empty when it is clean."""
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
    """Does a dialog of this page wait for an answer?"""
    return any(child._type == "Dialog" for child in _impl(page)._objects.values())


def watch_driver(context: BrowserContext, gone: Callable[[], None]) -> None:
    """Call `gone` when the connection to the driver ends."""
    context._impl_obj._connection.once("close", lambda *_: gone())


def tame_listener_errors(context: BrowserContext, report: Callable[[BaseException], None]) -> None:
    """An error in one job's event listener must not be raised by the next call of another job."""
    vars(context._impl_obj._connection)["_on_event_listener_error"] = report


def wrap_callbacks(wrap: Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]) -> None:
    """Have every callback that is handed to Playwright replaced by `wrap(callback, how Playwright would call it)`."""
    plain = mapping.wrap_handler
    vars(mapping)["wrap_handler"] = lambda handler: wrap(handler, plain(handler))


def is_closed_error(error: BaseException) -> bool:
    """Did a call fail because its page, context or browser is gone?"""
    return isinstance(error, TargetClosedError) or "Target crashed" in words(error)


def _impl(page: Page) -> ImplPage:
    impl: ImplPage = page._impl_obj
    return impl


async def dispose(reply: dict[str, Any]) -> None:
    """Take back what the driver answered with a disposable for: an init script, a binding."""
    owner: DisposableObject = reply["disposable"]._object
    await owner.dispose()


async def drop_response(requests: ChannelOwner, reply: dict[str, Any]) -> None:
    """Have the driver forget the body of a response to `page.request`."""
    if isinstance(requests, APIRequestContext):
        await requests._channel.disposeAPIResponse(fetchUid=reply["response"]["fetchUid"])
