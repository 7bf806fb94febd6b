"""Fills a field so that its value is in no trace, no error and no picture of the page."""

from playwright.async_api import Error as BrowserError
from playwright.async_api import Locator

from pageworker_runner.pages.playwright_internals.client_errors import reword
from pageworker_runner.pages.playwright_internals.driver_recordings import unrecorded

COVER = """element => {
  // Wherever the browser draws the field from now on, also in screenshots of the module, in popups and in traces.
  // Set through the object model: a Content-Security-Policy without 'unsafe-inline' does not forbid that.
  const cover = {
    "color": "transparent", "-webkit-text-fill-color": "transparent", "-webkit-text-security": "disc",
    "text-shadow": "none", "caret-color": "transparent", "-webkit-text-stroke": "0",
  };
  for (const [name, value] of Object.entries(cover)) element.style.setProperty(name, value, "important");
}"""


async def fill_secretly(locator: Locator, name: str, value: str) -> None:
    """Playwright's `fill`, with its waits and events. Raises Playwright's errors, without the value."""

    async def cover_and_fill() -> None:
        # In this order: a picture taken in between shows nothing.
        await locator.evaluate(COVER)
        await locator.fill(value)

    try:
        await unrecorded(locator, "helpers.fill_secret", cover_and_fill)
    except BrowserError as error:
        # The call log of Playwright tells what it filled in.
        reword(error, error.message.replace(value, f"(secret {name})"))
        raise
