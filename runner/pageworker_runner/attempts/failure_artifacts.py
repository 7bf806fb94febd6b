"""What is kept of a page whose attempt did not succeed: screenshot, HTML, console and requests."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from pageworker.well_formed import well_formed
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.capture import last_sight
from pageworker_runner.pages.gateway_reports import GatewayReports
from pageworker_runner.pages.main_documents import MainDocuments
from pageworker_runner.pages.page_summary import (
    ConsoleLine,
    SentRequest,
    console_summary,
    network_summary,
    shown_url,
)
from pageworker_runner.pages.redaction import Redaction
from pageworker_runner.pages.slot import WarmPage
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES, MAX_BLOCKER_URL

T = TypeVar("T")


class FailureArtifacts:
    """Of all attempts of this runner."""

    def __init__(self, documents: MainDocuments, reports: GatewayReports, redaction: Redaction) -> None:
        self._documents = documents
        self._reports = reports
        self._redaction = redaction

    async def keep(self, warm: WarmPage, attempt: RunningAttempt, seconds: float, *, sight: bool) -> None:
        """Send what the page gives within `seconds`. Raises nothing.

        `sight`: screenshot and HTML, too. They show nothing if the page has no document of a site.
        """
        # A supervisor that does not accept an artifact in time costs the artifact, not the result.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds + LIMITS.handover_seconds):
                await self._keep(warm, attempt, seconds, sight=sight)

    async def _keep(self, warm: WarmPage, attempt: RunningAttempt, seconds: float, *, sight: bool) -> None:
        page = warm.page
        with own_work():
            (shot, html), console, network, answer = await asyncio.gather(
                last_sight(warm, seconds) if sight else _nothing(),
                _within(seconds, self._console(page, attempt.began_epoch_ms)),
                _within(seconds, self._network(page)),
                _within(seconds, self._documents.answer(page)),
            )
            url, status = page.url, None if answer is None else answer[0]
        shown = shown_url(url, MAX_BLOCKER_URL)
        summary = network_summary(network, url, status, self._redaction) if network else None
        for kind, data, content_type in (
            ("screenshot", shot, "image/jpeg"),
            ("html", None if html is None else well_formed(html).encode(), "text/html; charset=utf-8"),
            ("console", console, "application/json"),
            ("network", summary, "application/json"),
        ):
            if data is not None and len(data) <= MAX_ARTIFACT_BYTES:
                await attempt.send(kind, data, content_type, shown, status)

    async def _console(self, page: Page, began_ms: float) -> bytes | None:
        """None: the page wrote nothing. The driver's lists were emptied when the page was cleaned before."""
        messages, errors = await page.console_messages(), await page.page_errors()
        if not messages and not errors:
            return None
        lines = [
            ConsoleLine(each.timestamp, each.type, each.text, each.location["url"], each.location["lineNumber"])
            for each in messages
        ]
        return console_summary(lines, [str(error) for error in errors], began_ms, self._redaction)

    async def _network(self, page: Page) -> list[SentRequest]:
        sent = []
        for request in await self._documents.requests_of(page):
            answer = request.existing_response
            refusal = self._reports.latest(request.url) if answer is None else None
            status = None if answer is None else answer.status
            reason = None if refusal is None else refusal.reason
            sent.append(SentRequest(request.method, request.resource_type, request.url, status, reason))
        return sent


async def _nothing() -> tuple[None, None]:
    return None, None


async def _within(seconds: float, ask: Awaitable[T]) -> T | None:
    """None for what the page or its driver does not tell in time."""
    try:
        async with asyncio.timeout(seconds):
            return await ask
    except (BrowserError, TimeoutError):
        return None
