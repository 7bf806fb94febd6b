"""The private parts of the installed Playwright that the runner uses are still where it looks for them."""

import inspect
from typing import Any

import pytest
from playwright._impl._async_base import mapping
from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.connection import Connection
from playwright._impl.errors import TargetClosedError
from playwright._impl.page import Page as ImplPage
from playwright.async_api import Error as BrowserError
from pw_runner.fake_browser import callbacks_restored

from pageworker_runner.pages.playwright_internals import is_closed_error, wrap_callbacks


@pytest.mark.parametrize(
    ("error", "closed"),
    [
        (TargetClosedError("Target page, context or browser has been closed"), True),
        (BrowserError("Page.title: Target crashed"), True),
        (BrowserError("net::ERR_ABORTED at http://x/"), False),
        (ValueError("closed"), False),
    ],
)
def test_a_closed_page_is_distinguished_from_other_errors(error: BaseException, closed: bool) -> None:
    assert is_closed_error(error) is closed


def test_every_callback_that_playwright_is_given_is_wrapped() -> None:
    def listener() -> None: ...

    with callbacks_restored():
        wrapped: list[Any] = []

        def wrap(handler: Any, call: Any) -> Any:
            wrapped.append(handler)
            return call

        wrap_callbacks(wrap)
        assert callable(mapping.wrap_handler(listener))
    assert wrapped == [listener]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Connection, "send_message_to_server"),
        (ImplContext, "_add_listener"),
        (ImplContext, "remove_listener"),
        (ImplPage, "raw_listeners"),
        (ImplPage, "event_names"),
    ],
)
def test_the_methods_that_are_replaced_or_called_exist(owner: type, name: str) -> None:
    assert callable(getattr(owner, name))


@pytest.mark.parametrize(
    "field",
    [
        "_timeout_settings",
        "_bindings",
        "_routes",
        "_web_socket_routes",
        "_locator_handlers",
        "_har_routers",
        "_workers",
    ],
)
def test_the_state_that_is_reset_or_checked_is_kept_in_these_fields(field: str) -> None:
    assert f"self.{field}" in inspect.getsource(ImplPage)
