"""Gives failed requests the errors of plain Playwright, and refused ones their reason.

Chromium and Node talk to a proxy, the egress gateway. So of a host that is down, unknown or refused they report that
the proxy failed. The gateway's reports say why.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages import request_errors
from pageworker_runner.pages.gateway_reports import GatewayReports
from pageworker_runner.pages.main_documents import MainDocuments
from pageworker_runner.pages.playwright_internals.client_errors import reword
from pageworker_runner.pages.playwright_internals.client_objects import main_frame_of
from pageworker_runner.pages.playwright_internals.commands import (
    ChannelOwner,
    first_url_of,
    frame_guid_of,
    is_main_frame,
)
from pageworker_runner.pages.playwright_internals.connection import intercept_commands, intercept_messages, object_of
from pageworker_sandbox.wire.request_failure import RequestFailure

FAILURES = (request_errors.FAILED_HTTP, request_errors.FAILED_TUNNEL, request_errors.FAILED_LIMITED)
NAVIGATIONS = {"goto", "reload", "goBack", "goForward"}
ERROR_PAGE = "chrome-error:"
FAILED_RESOURCE = "Failed to load resource: "
NO_ERROR_PAGE = "ERR_ABORTED"
"""A download, or an answer without content: the old document stays."""


class FailureTranslator:
    """Rewords the driver's messages before Playwright's client reads them."""

    def __init__(self, context: BrowserContext, failures: GatewayReports) -> None:
        self.reports = failures
        self._browser_context = context
        self._awaited: dict[str, RequestFailure | None] = {}
        """Why its navigation failed, by the guid of each frame whose navigation a call waits for."""
        self._without_document: WeakSet[ChannelOwner] = WeakSet()
        """Main frames that show Chromium's error page, or will in a moment."""
        self.on_navigation: Callable[[str, dict[str, Any], asyncio.Future[Any]], None] | None = None
        """Called with each navigation of the client, its parameters and its reply, in the task that makes it."""
        self.documents = MainDocuments(context)
        self._send = intercept_commands(context, self._on_send)
        self._dispatch = intercept_messages(context, self._on_message)

    def shows_error_page(self, page: Page) -> bool:
        """Whether the page has nothing to show but Chromium's own error page, because its last navigation failed."""
        return main_frame_of(page) in self._without_document

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        if method in NAVIGATIONS:
            frame = frame_guid_of(target)
            reply = self._send(target, method, params, options)
            self._awaited[frame] = None
            if self.on_navigation is not None:
                self.on_navigation(method, params, reply)
            reply.add_done_callback(partial(self._on_navigated, frame))
            return reply
        reply = self._send(target, method, params, options)
        if method == "fetch":
            reply.add_done_callback(_on_fetched)
        return reply

    def _on_message(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "navigated":
            self._on_navigation(message["guid"], message["params"])
        elif method == "requestFailed":
            params = message["params"]
            failure = self._failure_of(params.get("failureText"), self._url_of(params["request"]))
            if failure is not None:
                params["failureText"] = request_errors.failure_code(failure)
        elif method == "console":
            self._on_console(message["params"])
        self._dispatch(message)

    def _on_navigation(self, frame: str, params: dict[str, Any]) -> None:
        """The driver reports a failed navigation before it answers the call that waits for it. With redirects, only
        this report names the request that failed."""
        error: str = params.get("error") or ""
        document = params.get("newDocument")
        request = (document or {}).get("request")
        failure = self._failure_of(error, self._url_of(request)) if error and request else None
        if failure is not None:
            params["error"] = request_errors.reworded(error, failure)
            if frame in self._awaited:
                self._awaited[frame] = failure
        main = object_of(self._browser_context, frame)
        if is_main_frame(main):
            self._follow(main, error, params["url"])
            if request:
                self.documents.requested(frame, request["guid"])
            if document is not None and not error:
                self.documents.committed(frame, request and request["guid"])

    def _follow(self, frame: Any, error: str, url: str) -> None:
        if error.startswith("net::") and NO_ERROR_PAGE not in error:
            self._without_document.add(frame)
        elif not error and not url.startswith(ERROR_PAGE):
            self._without_document.discard(frame)

    def _on_console(self, params: dict[str, Any]) -> None:
        """Chromium itself writes this line for a subresource that failed."""
        mark, _, text = params["text"].partition(FAILED_RESOURCE)
        if text and not mark:
            failure = self._failure_of(text, params["location"]["url"])
            if failure is not None:
                params["text"] = request_errors.reworded(params["text"], failure)

    def _url_of(self, request: dict[str, str]) -> str:
        return first_url_of(object_of(self._browser_context, request["guid"]))

    def _failure_of(self, text: str | None, url: str) -> RequestFailure | None:
        """The gateway's report on a request that failed with this text. None: the gateway had no part in it."""
        expected = request_errors.FAILED_TUNNEL if url.startswith("https:") else request_errors.FAILED_HTTP
        failure = self.reports.latest(url) if text in (expected, request_errors.FAILED_LIMITED) else None
        if failure is None or text == expected:
            return failure
        # A route of the module may have aborted the request in the same words.
        return failure if failure.reason == request_errors.RATE_LIMITED else None

    def _on_navigated(self, frame: str, reply: asyncio.Future[Any]) -> None:
        """The caller has not run yet: its callback on this reply comes after this one."""
        failure = self._awaited.pop(frame, None)
        error = None if reply.cancelled() else reply.exception()
        if failure is None or not isinstance(error, BrowserError):
            return
        if error.message.startswith(FAILURES):
            reword(error, request_errors.reworded(error.message, failure))


def _on_fetched(reply: asyncio.Future[Any]) -> None:
    error = None if reply.cancelled() else reply.exception()
    if isinstance(error, BrowserError) and (found := request_errors.reworded_request(error.message)) is not None:
        name, text = found
        reword(error, text)
        vars(error)["code"] = name
