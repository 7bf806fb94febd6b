"""Callbacks that Playwright is given."""

from typing import Any

from playwright._impl._async_base import mapping
from pw_runner.fake_browser import callbacks_restored

from pageworker_runner.pages.playwright_internals.listeners import wrap_callbacks


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
