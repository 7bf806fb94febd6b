"""Methods and values of Playwright's client that are replaced for the rest of the process."""

from collections.abc import Awaitable, Callable
from typing import Any

from playwright._impl import frame, locator
from playwright._impl.browser import Browser as ImplBrowser
from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.browser_type import BrowserType
from playwright._impl.fetch import APIRequest, APIRequestContext
from playwright._impl.page import Page as ImplPage
from playwright._impl.selectors import Selectors
from playwright._impl.transport import PipeTransport
from playwright.async_api import expect

CLIENT_TYPES: dict[str, type] = {
    "APIRequest": APIRequest,
    "APIRequestContext": APIRequestContext,
    "Browser": ImplBrowser,
    "BrowserContext": ImplContext,
    "BrowserType": BrowserType,
    "Page": ImplPage,
}
"""Types of the client whose methods can be intercepted."""

Method = Callable[..., Awaitable[Any]]


def intercept_method(type: str, method: str, around: Callable[[Method], Method]) -> None:
    """Replace a method of all objects of a type by `around(method)`, for the rest of the process."""
    kind = CLIENT_TYPES[type]
    setattr(kind, method, around(getattr(kind, method)))


def intercept_driver_start(instead: Method) -> None:
    """Have every later start of a driver call `instead`."""
    setattr(PipeTransport, "connect", instead)  # noqa: B010 - mypy refuses to assign to a method


def intercept_pages(is_shown: Callable[[str], bool]) -> None:
    """Leave pages for whose guid `is_shown` is false out of `context.pages`, for the rest of the process."""
    plain: Callable[[ImplContext], list[ImplPage]] = vars(ImplContext)["pages"].fget

    def pages(context: ImplContext) -> list[ImplPage]:
        return [page for page in plain(context) if is_shown(page._guid)]

    setattr(ImplContext, "pages", property(pages))  # noqa: B010 - mypy refuses to assign to a property


def intercept_expect_timeout(read: Callable[[], float | None], write: Callable[[float | None], None]) -> None:
    """Have `expect` keep its timeout elsewhere, for the rest of the process."""
    setattr(type(expect), "_timeout", property(lambda _: read(), lambda _, timeout: write(timeout)))  # noqa: B010 - as above


def intercept_test_id_attribute(read: Callable[[], str], write: Callable[[str], None]) -> None:
    """Have `get_by_test_id` ask `read` for its attribute, and the client's setter call `write`, from now on.

    The driver has the attribute as well, for the code that it generates only.
    """
    for module in (frame, locator):
        vars(module)["test_id_attribute_name"] = read

    def set_test_id_attribute(selectors: Selectors, attribute_name: str) -> None:
        write(attribute_name)

    setattr(Selectors, "set_test_id_attribute", set_test_id_attribute)  # noqa: B010 - mypy refuses to assign to a method
