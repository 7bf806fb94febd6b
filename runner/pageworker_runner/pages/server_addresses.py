"""Gives responses the address of their server. The browser and the driver have that of the egress gateway."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext

from pageworker_runner.pages.gateway_reports import GatewayReports, authority_of
from pageworker_runner.pages.playwright_internals.commands import ChannelOwner, first_url_of
from pageworker_runner.pages.playwright_internals.connection import intercept_commands


class ServerAddresses:
    """Rewrites the driver's answers, for the rest of the process."""

    def __init__(self, context: BrowserContext, reports: GatewayReports) -> None:
        self._reports = reports
        self._send = intercept_commands(context, self._on_send)

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        reply = self._send(target, method, params, options)
        # Before the code that awaits the reply goes on: callbacks run in their order.
        if method == "serverAddr":
            reply.add_done_callback(lambda done: self._rewrite(_answer(done).get("value"), first_url_of(target)))
        elif method == "fetch":
            reply.add_done_callback(self._on_fetched)
        return reply

    def _on_fetched(self, reply: asyncio.Future[Any]) -> None:
        response = _answer(reply).get("response") or {}
        self._rewrite(response.get("serverAddr"), response.get("url", ""))

    def _rewrite(self, given: dict[str, Any] | None, url: str) -> None:
        """`given`: `{"ipAddress": "127.0.0.1", "port": 45123}`. None: no server has answered."""
        authority = authority_of(url)
        if given is None or authority is None:
            return
        # Where the gateway does not say more, its own address stays: it stands for the origin.
        address = self._reports.address(url) or given["ipAddress"]
        given["ipAddress"] = f"[{address}]" if ":" in address and not address.startswith("[") else address
        given["port"] = urlsplit(f"//{authority}").port


def _answer(reply: asyncio.Future[Any]) -> dict[str, Any]:
    """What the driver has answered; nothing if that is an error."""
    if reply.cancelled() or reply.exception() is not None:
        return {}
    answer: dict[str, Any] | None = reply.result()
    return answer or {}
