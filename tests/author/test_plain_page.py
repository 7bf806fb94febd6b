"""The page of single functions has the options of the module, and loads nothing from a network."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from pageworker_author.har_file import har_text
from pageworker_author.plain_page import VIEWPORT, PlainBrowser, context_options
from pageworker_sandbox.wire.page_options import Geolocation, PageOptions, Viewport

ADDRESS = "http://shop.example/"
MANIFEST = """\
name = "acme.prices"
version = "0.1.0"
entrypoint = "acme_prices:handler"
sdk = ">=1,<2"
[page]
locale = "de-DE"
"""


def test_options_have_playwrights_names() -> None:
    assert context_options(PageOptions()) == {"viewport": VIEWPORT}
    options = PageOptions(
        viewport=Viewport(width=390, height=844),
        geolocation=Geolocation(latitude=1, longitude=2),
        permissions=("geolocation",),
        block=("image",),
        ca="pem",
    )
    assert context_options(options) == {
        "viewport": {"width": 390, "height": 844},
        "geolocation": {"latitude": 1.0, "longitude": 2.0},
        "permissions": ["geolocation"],
    }


@pytest.fixture
def browser() -> Iterator[PlainBrowser]:
    browser = PlainBrowser()
    yield browser
    browser.close()


@pytest.mark.browser
def test_it_loads_what_was_recorded_and_nothing_else(tmp_path: Path, browser: PlainBrowser) -> None:
    (tmp_path / "module.toml").write_text(MANIFEST)
    entry = {
        "request": {"method": "GET", "url": ADDRESS},
        "response": {"status": 200, "content": {"mimeType": "text/html", "text": "<title>the shop</title>"}},
    }
    har = tmp_path / "shop.har"
    har.write_bytes(har_text(json.dumps({"log": {"entries": [entry]}}).encode()))

    async def look(page: Page) -> tuple[str, str]:
        await page.goto(ADDRESS)
        found = await page.title(), await page.evaluate("navigator.language")
        with pytest.raises(BrowserError, match="ERR_FAILED"):
            await page.goto("http://127.0.0.1:1/")
        return found

    page = browser.run(browser.open(tmp_path, har))
    assert browser.run(look(page)) == ("the shop", "de-DE")
    browser.run(browser.close_page(page))

    async def refused(page: Page) -> None:
        with pytest.raises(BrowserError, match="ERR_BLOCKED_BY_CLIENT"):
            await page.goto(ADDRESS)

    browser.run(refused(browser.run(browser.open(tmp_path, tmp_path / "none.har"))))
