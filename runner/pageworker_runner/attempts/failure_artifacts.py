"""What is kept of a page whose attempt did not succeed: a screenshot and the HTML."""

import asyncio
from contextlib import suppress

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from pageworker.well_formed import well_formed
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_runner.limits import LIMITS
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES


async def keep(page: Page, attempt: RunningAttempt, seconds: float) -> None:
    """Send both, as far as the page answers within `seconds`. Raises nothing."""
    # A supervisor that does not accept an artifact in time costs the artifact, not the result.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + LIMITS.handover_seconds):
            with own_work():
                shot, html = await asyncio.gather(_screenshot(page, seconds), _html(page, seconds))
            for kind, data, content_type in (
                ("screenshot", shot, "image/jpeg"),
                ("html", html, "text/html; charset=utf-8"),
            ):
                if data is not None and len(data) <= MAX_ARTIFACT_BYTES:
                    await attempt.send(kind, data, content_type)


async def _screenshot(page: Page, seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return await page.screenshot(type="jpeg", quality=70)
    except (BrowserError, TimeoutError):
        # A page that hangs or is gone has no screenshot. The attempt's error already says what happened to it.
        return None


async def _html(page: Page, seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return well_formed(await page.content()).encode()
    except (BrowserError, TimeoutError):
        return None
