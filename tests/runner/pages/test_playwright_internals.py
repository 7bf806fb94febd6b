"""The private parts of the installed Playwright that the runner uses are still where it looks for them."""

import ast
import inspect
from typing import Any

import pytest
from playwright._impl._async_base import mapping
from playwright._impl.errors import TargetClosedError
from playwright.async_api import Error as BrowserError
from playwright.async_api import async_playwright
from pw_runner.fake_browser import FakeContext, callbacks_restored
from pw_runner.supervisor import HEADLESS_SHELL

from pageworker_runner.errors import StartError
from pageworker_runner.pages import playwright_internals
from pageworker_runner.pages.playwright_internals import (
    LIVE_STATE,
    PRIVATE_NAMES,
    SHARED_STATE,
    check,
    client_context_objects,
    client_page_objects,
    clock_source,
    disabled_features,
    is_closed_error,
    missing_names,
    node_program,
    wrap_callbacks,
)


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


def test_the_script_of_the_clock_is_found_in_the_installed_driver() -> None:
    assert "function inject(globalObject" in clock_source()


def test_playwrights_own_list_is_found_in_the_installed_driver() -> None:
    found = disabled_features()
    assert {"PaintHolding", "MediaRouter", "HttpsUpgrades", "DestroyProfileOnBrowserClose"} <= set(found)
    assert all(name.isidentifier() for name in found)


def test_node_is_the_program_that_comes_with_playwright() -> None:
    assert node_program().name == "node"
    assert node_program().is_file()


def test_every_private_name_that_the_file_uses_is_in_the_table() -> None:
    named = {name for names in PRIVATE_NAMES.values() for name in names}
    used = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(playwright_internals)))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    assert used - named == set()


def test_a_missing_private_part_stops_the_start_with_its_name_and_the_fix() -> None:
    context: Any = FakeContext()
    context.pages[0].main_frame = None
    with pytest.raises(StartError, match=r"lacks private parts .*Page\._bindings.*requirements/run\.txt"):
        check(context)


@pytest.mark.browser
async def test_the_installed_playwright_has_every_private_part() -> None:
    async with async_playwright() as running:
        browser = await running.chromium.launch(executable_path=HEADLESS_SHELL)
        context = await browser.new_context()
        page = await context.new_page()
        assert missing_names(context) == []
        owners = client_context_objects(context) | client_page_objects(page)
        for table in (LIVE_STATE, SHARED_STATE):
            for owner, names in table.items():
                assert set(names) <= set(vars(owners[owner or "Page"])), owner
