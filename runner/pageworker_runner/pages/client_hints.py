"""Client hints that sites asked for (`Accept-CH`). The browser sends them to such a site until the site asks for none.

No command of DevTools deletes them. So the browser gets one more answer of each such site, which asks for none. No
request leaves for that. Source: RFC 8942, section 3.1.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, Route
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.commands import first_url_of, is_main_frame
from pageworker_runner.pages.playwright_internals.connection import intercept_messages, object_of
from pageworker_runner.pages.playwright_internals.document_requests import (
    DocumentRequest,
    answer_headers,
    with_redirects,
)
from pageworker_runner.pages.slot import origin_of
from pageworker_runner.pages.storage import end_service_workers

ASKS = "accept-ch"
ASKS_FOR_NONE = {"Accept-CH": "", "Content-Type": "text/html"}
NO_ICON = "<link rel=icon href='data:,'>"
"""Without it, the browser asks the site of a document for an icon."""
ANSWER_SECONDS = 1.0
"""For what answered a document, which is known once it is shown. Else it counts as one that asked."""
DOCUMENTS = 1000
"""Whose headers are read later. Of more, none is read: their sites count as such that asked."""

TRUSTWORTHY = re.compile(
    r"https://|http://(?:[^/?#]*\.)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?(?:[/?#]|$)", re.IGNORECASE
)
"""Addresses whose answers may ask for hints. Source: Secure Contexts, section 3.1."""


class ClientHints:
    """The sites that have asked a browser context for hints since these were forgotten."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._documents: list[DocumentRequest] = []
        self._origins: set[str] = set()
        self._dispatch = intercept_messages(context, self._on_message)

    async def collect(self) -> None:
        """Read the headers of the documents so far. Of closed pages, too, the driver still has them."""
        documents, self._documents = self._documents, []
        try:
            answered = await asyncio.gather(*map(_asked, documents))
        except asyncio.CancelledError:
            self._add(documents)
            raise
        self._origins |= {
            origin
            for document, asked in zip(documents, answered, strict=True)
            if asked and (origin := origin_of(first_url_of(document)))
        }

    def drop(self) -> None:
        """Leave the hints as they are."""
        self._documents.clear()
        self._origins.clear()

    async def forget(self, page: Page, devtools: CDPSession) -> bool:
        """Have the browser forget all hints, by `page`, which no job uses. Returns whether the page was needed.

        It is at another document then. `devtools` is its session. Raises Playwright's Error.
        """
        await self.collect()
        if not self._origins:
            return False
        # They would answer in place of the route below.
        await end_service_workers(devtools)
        await _ask_for_none(page, sorted(self._origins))
        self._origins.clear()
        return True

    def _on_message(self, message: dict[str, Any]) -> None:
        if message.get("method") == "navigated":
            document = (message["params"].get("newDocument") or {}).get("request")
            # Browsers take hints from main documents only.
            if document and is_main_frame(object_of(self._context, message["guid"])):
                requests = list(with_redirects(object_of(self._context, document["guid"])))
                # No site has answered a document that failed: its request may have no answer at all, ever.
                self._add(requests[1:] if message["params"].get("error") else requests)
        self._dispatch(message)

    def _add(self, documents: Iterable[DocumentRequest]) -> None:
        for each in documents:
            url = first_url_of(each)
            origin = origin_of(url)
            if origin is None or origin in self._origins or not TRUSTWORTHY.match(url):
                continue
            if len(self._documents) < DOCUMENTS:
                self._documents.append(each)
            else:
                self._origins.add(origin)


async def _asked(document: DocumentRequest) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return bool((await answer_headers(document)).get(ASKS))
    except (BrowserError, TimeoutError):
        # The driver has dropped the request, or still waits for its answer: it may have asked.
        return True


async def _ask_for_none(page: Page, origins: Iterable[str]) -> None:
    async def answer(route: Route) -> None:
        await route.fulfill(headers=ASKS_FOR_NONE, body=NO_ICON)

    await page.route("**/*", answer)
    for origin in origins:
        await page.goto(f"{origin}/", wait_until="commit")
    await page.unroute_all(behavior="ignoreErrors")
