"""The start of a runner looks for the private parts of the installed Playwright."""

import pytest
from playwright.async_api import async_playwright
from pw_doubles import any_typed
from pw_runner.fake_browser import FakeContext
from pw_runner.supervisor import HEADLESS_SHELL

from pageworker_runner.errors import StartError
from pageworker_runner.pages.playwright_internals.client_objects import client_context_objects, client_page_objects
from pageworker_runner.pages.playwright_internals.name_check import check, missing_names
from pageworker_runner.pages.playwright_internals.private_names import LIVE_STATE, SHARED_STATE


def test_a_missing_private_part_stops_the_start_with_its_name_and_the_fix() -> None:
    context = any_typed(FakeContext())
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
