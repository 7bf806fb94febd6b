"""Waits whose time-out says what they waited for."""

import time
from typing import Literal

from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as PageTimeout

LocatorState = Literal["visible", "hidden", "attached", "detached"]


async def wait_for_all(
    page: Page,
    what: str,
    target: str | Locator | None,
    state: LocatorState,
    url: str | None,
    script: str | None,
    timeout_seconds: float | None,
) -> None:
    """Wait until every condition that is given holds, one after the other. Raises PageTimeout."""
    timeout = None if timeout_seconds is None else timeout_seconds * 1000
    since = time.monotonic()
    waits_for = ""
    try:
        if url is not None:
            waits_for = f"the URL does not match {url}"
            await page.wait_for_url(url, timeout=timeout, wait_until="domcontentloaded")
        if target is not None:
            waits_for = f"{_name(target)} is not {state}"
            locator = page.locator(target) if isinstance(target, str) else target
            await locator.first.wait_for(state=state, timeout=timeout)
        if script is not None:
            waits_for = f"the script is not true: {script}"
            await page.wait_for_function(script, timeout=timeout)
    except PageTimeout as error:
        seconds = time.monotonic() - since
        place = page.url.partition("?")[0]
        raise PageTimeout(f"{what} did not come within {seconds:.1f} s: {waits_for}. The page is {place}") from error


def _name(target: str | Locator) -> str:
    return f"`{target}`" if isinstance(target, str) else str(target)
