"""Keeps the browser from sending the requests that the options `block` and `block_hosts` name, and counts them.

DevTools' `Fetch` domain of the browser itself pauses exactly these requests, of all pages, frames and workers. Each one
is failed as one that an extension blocks. All others pass without a message (docs/adr/0048-blocked-requests.md).

`Fetch` does not see everything: no WebSocket, no connection that is opened in advance, nothing of `page.request`. The
egress gateway refuses those to blocked hosts, and reports each (docs/adr/0097-blocked-hosts-at-the-gateway.md).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from playwright.async_api import BrowserContext, CDPSession
from playwright.async_api import Error as BrowserError

from pageworker_runner.errors import StartError
from pageworker_runner.pages.block_patterns import BlockPatterns
from pageworker_runner.pages.gateway_reports import GatewayReports
from pageworker_runner.pages.playwright_internals.connection import command_soon
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import MAX_BLOCKED, BlockedKind
from pageworker_sandbox.wire.page_options import PageOptions

REASON = "BlockedByClient"
"""Pages get what they get from an extension that blocks: `error` events, and `net::ERR_BLOCKED_BY_CLIENT`."""


class RequestBlocker:
    """Blocks for one browser context, from `start` until the browser ends."""

    def __init__(self, options: PageOptions, running: Callable[[], Mapping[str, str]], reports: GatewayReports) -> None:
        """`running()`: the attempts that have a page now, by the browser's id of their page."""
        self._blocked = BlockPatterns(options)
        self._running = running
        self._reports = reports
        reports.on_blocked = lambda: self._count("host")
        self._counts: dict[str, Counter[BlockedKind]] = {}
        self._turn = 0

    async def start(self, context: BrowserContext) -> None:
        """Begin to block. Without such options nothing is done. Raises StartError, Playwright's Error."""
        if not self._blocked.patterns:
            return
        if context.browser is None:
            raise StartError("browser: Playwright's driver reports no browser for the context")
        devtools = await context.browser.new_browser_cdp_session()
        devtools.on("Fetch.requestPaused", lambda event: self._paused(devtools, event))
        await devtools.send("Fetch.enable", {"patterns": self._blocked.patterns})

    def take(self, attempt_id: str) -> dict[BlockedKind, int]:
        """How many requests of the attempt were blocked, by what they were. It ends now."""
        self._reports.read()
        return {kind: min(count, MAX_BLOCKED) for kind, count in self._counts.pop(attempt_id, Counter()).items()}

    def _paused(self, devtools: CDPSession, event: dict[str, Any]) -> None:
        request = {"requestId": event["requestId"]}
        kind = self._blocked.kind(event["resourceType"], event["request"]["url"])
        if kind is None:
            _send(devtools, "Fetch.continueRequest", request)
            return
        _send(devtools, "Fetch.failRequest", {**request, "errorReason": REASON})
        self._count(kind, event.get("frameId", ""))

    def _count(self, kind: BlockedKind, frame: str = "") -> None:
        if (attempt_id := self._attempt_of(frame)) is not None:
            self._counts.setdefault(attempt_id, Counter())[kind] += 1

    def _attempt_of(self, frame: str) -> str | None:
        """The attempt that a request is counted for; None: no attempt runs.

        The main frame of a page has the page's id. Frames inside it, popups and workers have ids of their own, which
        name no page: with several attempts, each is counted for in turn.
        """
        running = self._running()
        if not running:
            return None
        if frame in running:
            return running[frame]
        self._turn += 1
        attempts = list(running.values())
        return attempts[self._turn % len(attempts)]


def _send(devtools: CDPSession, method: str, params: dict[str, Any]) -> None:
    with own_work():
        try:
            command_soon(devtools, method, params).add_done_callback(_drop)
        except BrowserError:
            return  # The browser is gone, and the runner ends.


def _drop(reply: asyncio.Future[Any]) -> None:
    if not reply.cancelled():
        # The page has closed, or left the document that asked.
        reply.exception()
