"""Leaves out of a request's headers what the browser adds for the egress gateway, which the server does not get."""

import asyncio
from typing import Any

from playwright.async_api import BrowserContext

from pageworker_runner.pages.playwright_internals.commands import ChannelOwner
from pageworker_runner.pages.playwright_internals.connection import intercept_commands

HOP_BY_HOP = frozenset({"proxy-connection"})
"""Lower-case names of headers that only the gateway gets."""


class GatewayHeaders:
    """Rewrites the driver's lists of request headers, for the rest of the process."""

    def __init__(self, context: BrowserContext) -> None:
        self._send = intercept_commands(context, self._on_send)

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        reply = self._send(target, method, params, options)
        if method == "rawRequestHeaders":
            # Before the code that awaits the reply goes on: callbacks run in their order.
            reply.add_done_callback(_strip)
        return reply


def _strip(reply: asyncio.Future[Any]) -> None:
    if not reply.cancelled() and reply.exception() is None:
        headers: list[dict[str, str]] = reply.result()["headers"]
        headers[:] = [each for each in headers if each["name"].lower() not in HOP_BY_HOP]
