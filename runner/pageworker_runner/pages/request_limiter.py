"""Holds each request to a host with a limit on requests until the supervisor permits it.

Requests of pages are paused by DevTools, on a session of the browser. It sees what every page, frame, worker and
service worker sends, over `http` and `https`, and each redirect. Playwright's own routes are on sessions of the pages,
nearer to the page: what a route fulfils never comes here. Requests of `page.request` are made by Playwright's driver,
and are held before their command goes to it. Without such hosts nothing is intercepted.

A module that wants to can go around this, because it runs in this process.
"""

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

from playwright.async_api import BrowserContext, CDPSession
from playwright.async_api import Error as BrowserError
from playwright.async_api import TimeoutError as PageTimeout

from pageworker_runner.pages.api_redirects import MOST_REDIRECTS, RedirectLoop, next_request
from pageworker_runner.pages.gateway_reports import GatewayReports, authority_of
from pageworker_runner.pages.host_globs import is_over_tls, requested_host, url_pattern
from pageworker_runner.pages.playwright_internals.commands import ChannelOwner, drop_response
from pageworker_runner.pages.playwright_internals.connection import intercept_commands
from pageworker_runner.pages.request_errors import RATE_LIMITED, refused_request_text
from pageworker_runner.pages.request_permits import PermitClient
from pageworker_runner.task_ownership import Tasks, own_work
from pageworker_sandbox.wire.request_failure import RequestFailure

BLOCKED = "BlockedByClient"
"""DevTools' name for the reason of `request_errors.FAILED_LIMITED`."""

Command = tuple[ChannelOwner, str, dict[str, Any], dict[str, Any]]


class RequestLimiter:
    """All requests of one browser context."""

    def __init__(self, context: BrowserContext, permits: PermitClient, failures: GatewayReports, tasks: Tasks) -> None:
        self._context = context
        self._permits = permits
        self._failures = failures
        self._tasks = tasks

    async def start(self) -> None:
        """Hold requests from now on. Call it before pages are opened: their documents are intercepted from their start.

        Raises Playwright's Error.
        """
        if not self._permits.hosts:
            return
        self._send = intercept_commands(self._context, self._on_send)
        browser = self._context.browser
        if browser is None:
            raise BrowserError("Playwright's driver reports no browser for the context")
        session = await browser.new_browser_cdp_session()
        session.on("Fetch.requestPaused", partial(self._on_paused, session))
        patterns = [{"urlPattern": url_pattern(glob)} for glob in self._permits.hosts]
        await session.send("Fetch.enable", {"patterns": patterns})

    def _on_paused(self, session: CDPSession, event: dict[str, Any]) -> None:
        self._tasks.spawn(self._serve(session, event["requestId"], event["request"]["url"]))

    async def _serve(self, session: CDPSession, request_id: str, url: str) -> None:
        host = requested_host(url)
        with own_work():
            if host is None or not self._permits.needed_for(host):
                await _proceed(session, request_id)
            elif not await self._permits.ask(host, tls=is_over_tls(url)):
                self._failures.add(_refusal(url))
                with suppress(BrowserError):
                    await session.send("Fetch.failRequest", {"requestId": request_id, "errorReason": BLOCKED})
            elif not await _proceed(session, request_id):
                self._permits.unused(host)

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        if method != "fetch":
            return self._send(target, method, params, options)
        # A task of the attempt, which Tasks ends with it.
        return asyncio.ensure_future(self._fetch((target, method, params, options)))  # noqa: TID251 - Playwright awaits it

    async def _fetch(self, command: Command) -> Any:
        """The reply to a request of `page.request`. Redirects are followed here: the driver would not ask for them."""
        target, method, params, options = command
        deadline = _Deadline(options.get("timeout"))
        given = params.get("maxRedirects")
        left = MOST_REDIRECTS if given is None else given
        follows = left > 0
        while True:
            await self._permitted(params["url"], deadline)
            reply = await self._send(target, method, {**params, "maxRedirects": 0}, {**options, **deadline.rest()})
            following = next_request(params, reply["response"]) if follows else None
            if following is None:
                return reply
            await drop_response(target, reply)
            if left <= 0:
                raise RedirectLoop
            params, left = following, left - 1
            # Each command to the driver has an id of its own.
            options = {name: value for name, value in options.items() if name != "call_id"}

    async def _permitted(self, url: str, deadline: "_Deadline") -> None:
        host = requested_host(url)
        if host is None or not self._permits.needed_for(host):
            return
        try:
            async with asyncio.timeout(deadline.left_seconds()):
                permitted = await self._permits.ask(host, tls=is_over_tls(url))
        except TimeoutError:
            raise deadline.error() from None
        if not permitted:
            error = BrowserError(refused_request_text(_refusal(url)))
            vars(error)["code"] = "EACCES"
            raise error


async def _proceed(session: CDPSession, request_id: str) -> bool:
    """Let a request go on. False: it is gone, because its page has gone elsewhere or is closed."""
    try:
        await session.send("Fetch.continueRequest", {"requestId": request_id})
    except BrowserError:
        return False
    return True


class _Deadline:
    """The `timeout` of a request, redirects and waits for permits included. None or 0: none."""

    def __init__(self, milliseconds: float | None) -> None:
        self._milliseconds = milliseconds or None
        self._end = time.monotonic() + (milliseconds or 0) / 1000

    def left_seconds(self) -> float | None:
        return None if self._milliseconds is None else max(0.0, self._end - time.monotonic())

    def rest(self) -> dict[str, float]:
        """The option for the driver, which takes 0 for no timeout. Raises Playwright's TimeoutError."""
        if self._milliseconds is None:
            return {}
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return {"timeout": left * 1000}

    def error(self) -> PageTimeout:
        """As Playwright's driver words it."""
        return PageTimeout(f"Timeout {self._milliseconds:g}ms exceeded.")


def _refusal(url: str) -> RequestFailure:
    return RequestFailure("refused", RATE_LIMITED, authority_of(url) or "")
