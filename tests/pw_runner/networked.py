"""A runner behind the real egress gateway, both without a sandbox."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from pw_egress.origin import Handler, Origin, serving
from pw_egress.processes import gateway

from pageworker_sandbox.egress.client import GatewayClient
from pageworker_sandbox.egress.messages import EgressPolicy
from pw_runner.supervisor import HEADLESS_SHELL, Supervisor

Pages = Mapping[str, bytes]
"""Whole responses by path. An empty one: the connection is closed. A missing one: 404."""
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<h1>404</h1>"


class Networked(Supervisor):
    """Hands the runner's listener to the gateway."""

    def __init__(self, client: GatewayClient, policy: EgressPolicy, **given: Any) -> None:
        super().__init__(**given)
        self._gateway = client
        self._policy = policy

    async def connect_to_network(self, listener: socket.socket) -> None:
        """Attach it."""
        with listener:
            await self._gateway.attach("r-1", listener.fileno(), self.failures[1], self._policy)


@asynccontextmanager
async def networked(
    pages: Pages,
    policy: EgressPolicy,
    targets: Mapping[str, str] | None = None,
    browser: Path = HEADLESS_SHELL,
    **given: Any,
) -> AsyncIterator[tuple[Networked, Origin]]:
    """A started runner. `shop.test` and `cdn.test` are an origin with these pages; `targets` has more fixed hosts."""
    async with serving(_site(pages)) as origin:
        fixed = {**dict.fromkeys(("shop.test", "cdn.test"), f"127.0.0.1:{origin.port}"), **(targets or {})}
        proxies = [upstream.url.partition("://")[2] for upstream in policy.upstreams]
        async with gateway(*fixed.values(), *proxies) as (client, _):
            runner = Networked(client, _with(policy, fixed), browser=browser, persistent=False, **given)
            await runner.start()
            try:
                yield runner, origin
            finally:
                await runner.close()


def page(body: str, status: str = "200 OK", *headers: str, content_type: str = "text/html; charset=utf-8") -> bytes:
    """A whole response."""
    data = body.encode()
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(data)}", *headers, "", "")
    return "\r\n".join(lines).encode() + data


def redirect(url: str) -> bytes:
    """A response that leads there."""
    return page("", "302 Found", f"Location: {url}")


def _with(policy: EgressPolicy, fixed: Mapping[str, str]) -> EgressPolicy:
    return msgspec.structs.replace(policy, fixed=dict(fixed))


def _site(pages: Pages) -> Any:
    def handler(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await origin.head(reader):
                response = pages.get(head.split()[1].decode(), NOT_FOUND)
                if not response:
                    return
                writer.write(response)
                await writer.drain()

        return handle

    return handler
