"""The objects of Playwright's client behind a page and a browser context."""

from collections.abc import Iterable
from typing import Any, TypeVar

from playwright._impl._async_base import mapping
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.page import Page as ImplPage
from playwright.async_api import BrowserContext, Download, Page, Request

from pageworker_runner.pages.playwright_internals.private_names import CONTEXT_PARTS, PAGE_PARTS

Wrapper = TypeVar("Wrapper", Page, BrowserContext, Download)


def impl_of(page: Page) -> ImplPage:
    """The client's object of a page."""
    impl: ImplPage = page._impl_obj
    return impl


def unshared(wrapper: Wrapper) -> Wrapper:
    """The same page, context or download in an object of its own, without the attributes that modules set on theirs."""
    return type(wrapper)(wrapper._impl_obj)


def guid_of(page: Page) -> str:
    """The driver's id of a page."""
    return impl_of(page)._guid


def request_guids(requests: Iterable[Request]) -> list[str]:
    """The driver's ids of requests."""
    return [request._impl_obj._guid for request in requests]


def client_requests(requests: Iterable[Request]) -> list[Any]:
    """The client's objects of requests."""
    return [request._impl_obj for request in requests]


def opener_of(page: Page) -> str | None:
    """Guid of the page that opened this one. That page may be closed by now."""
    opener = impl_of(page)._opener
    return opener._guid if opener is not None else None


def main_frame_of(page: Page) -> ChannelOwner:
    """The client's main frame of a page."""
    return impl_of(page)._main_frame


def public_page_objects(page: Page) -> dict[str, object]:
    """The page and its parts as modules see them, by name."""
    impl = impl_of(page)
    parts = {f"page.{name}": mapping.from_impl(getattr(impl, name)) for name in PAGE_PARTS}
    return {"page": page, "page.main_frame": page.main_frame, **parts}


def client_page_objects(page: Page) -> dict[str, object]:
    """The page and its parts in the client, by name."""
    impl = impl_of(page)
    parts = {f"Page.{name}": getattr(impl, name) for name in PAGE_PARTS}
    return {"Page": impl, "Frame": impl._main_frame, "TimeoutSettings": impl._timeout_settings, **parts}


def public_context_objects(context: BrowserContext) -> dict[str, object]:
    """The browser context and what belongs to it as modules see them, by name."""
    impl = context._impl_obj
    browser = mapping.from_impl(impl._browser)
    parts = {f"page.context.{name}": mapping.from_impl(getattr(impl, name)) for name in CONTEXT_PARTS}
    return {"page.context": mapping.from_impl(impl), "browser": browser, **parts}


def client_context_objects(context: BrowserContext) -> dict[str, object]:
    """The browser context and what belongs to it in the client, by name."""
    impl = context._impl_obj
    # Any: an attribute that Playwright's types do not declare here.
    browser: Any = impl._browser
    return {
        "BrowserContext": impl,
        **{f"BrowserContext.{name}": getattr(impl, name) for name in CONTEXT_PARTS if name != "tracing"},
        "Tracing": impl.tracing,
        "Browser": browser,
        "BrowserType": browser._browser_type,
        "Playwright": browser._browser_type._playwright,
        "Selectors": browser._browser_type._playwright.selectors,
        "Connection": impl._connection,
        "ClientInstrumentation": impl._connection._instrumentation,
    }
