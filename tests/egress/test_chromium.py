"""A real Chromium and Playwright's request API with the gateway as their proxy."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as BrowserError
from pw_egress.origin import Handler, Origin, serving
from pw_egress.processes import gateway
from pw_egress.running_proxy import listener
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL

from pageworker_runner.pages.request_errors import FAILED_HTTP, FAILED_TUNNEL
from pageworker_sandbox.egress.client import GatewayClient
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.wire.request_failure import failure_pipe, parse_line

pytestmark = pytest.mark.browser
PAGE = b"<!doctype html><title>shop</title><script>fetch('/data').then(r=>r.text()).then(t=>document.title+=t)</script>"


def _shop(origin: Origin) -> Handler:
    """A page, its data, and a WebSocket that answers one short text in capitals."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await origin.head(reader):
            if b"/ws" in head.split(b"\r\n")[0]:
                return await _websocket(head, reader, writer)
            body = b" data" if head.startswith(b"GET /data") else PAGE
            kind = b"text/plain" if body == b" data" else b"text/html"
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(body), body)
            )
            await writer.drain()
        return None

    return handle


async def _websocket(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")).split(b": ")[1]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    _, length = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(length & 127)))
    writer.write(b"\x81" + bytes((len(text),)) + text.upper())
    await reader.read()


WEBSOCKET = """url => new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = event => { resolve(event.data); socket.close(); };
    socket.onerror = () => reject(new Error("refused"));
})"""


@dataclass
class Fixture:
    """A browser behind the gateway, one origin behind that, and what the runner would read."""

    browser: Browser
    origin: Origin
    gateway: GatewayClient
    failures: int

    def reported(self, authority: str) -> set[str]:
        """The reasons of the failures of one host since the last call."""
        failures = map(parse_line, os.read(self.failures, 65536).decode().splitlines())
        return {failure.reason for failure in failures if failure is not None and failure.authority == authority}


@asynccontextmanager
async def browsing(
    executable: Path, handler: Callable[[Origin], Handler] = _shop, **fixed: str
) -> AsyncIterator[Fixture]:
    """`shop.test` is the origin; `fixed` has further hosts."""
    async with (
        serving(handler) as origin,
        gateway(f"127.0.0.1:{origin.port}", *fixed.values()) as (client, _),
        async_playwright() as playwright,
    ):
        hosts = {"shop.test": f"127.0.0.1:{origin.port}", **{f"{name}.test": to for name, to in fixed.items()}}
        failures, theirs = failure_pipe()
        with listener() as sock:
            port = sock.getsockname()[1]
            policy = EgressPolicy(hosts=(("*.test", "*.invalid", "1*", "2*", "*:*"),), fixed=hosts)
            await client.attach("runner-1", sock.fileno(), theirs, policy)
        os.close(theirs)
        browser = await playwright.chromium.launch(
            executable_path=executable,
            headless=True,
            proxy={"server": f"http://127.0.0.1:{port}", "bypass": "<-loopback>"},
            args=["--no-sandbox"],
        )
        yield Fixture(browser, origin, client, failures)
        await browser.close()
        os.close(failures)


BOTH = pytest.mark.parametrize("executable", [HEADLESS_SHELL, CHROMIUM], ids=["shell", "full"])


@BOTH
async def test_chromium_reaches_what_is_allowed_and_nothing_else(executable: Path) -> None:
    async with browsing(executable) as fixture:
        page = await fixture.browser.new_page()
        await page.goto("http://shop.test/")
        await page.wait_for_function("document.title == 'shop data'")
        for address in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "127.0.0.1", "2852039166"):
            with pytest.raises(BrowserError, match=FAILED_HTTP):
                await page.goto(f"http://{address}/")
        with pytest.raises(BrowserError, match=FAILED_TUNNEL):
            await page.goto("https://127.0.0.1/")

        page = await fixture.browser.new_page()
        await page.goto("http://shop.test/")
        assert await page.evaluate(WEBSOCKET, "ws://shop.test/ws") == "HELLO"
        with pytest.raises(BrowserError, match="refused"):
            await page.evaluate(WEBSOCKET, "ws://169.254.169.254/ws")

        assert await (await page.request.get("http://shop.test/data")).text() == " data"
        with pytest.raises(BrowserError, match=r"Pageworker-Egress refused private_address 10\.0\.0\.1\|80"):
            await page.request.get("http://10.0.0.1/")
        usage = await fixture.gateway.usage("runner-1")
        assert usage.refused["private_address"] >= 6


def _failing(origin: Origin) -> Handler:
    """Answers a GET and keeps the connection, and closes it after a POST without an answer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await origin.head(reader)).startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    return handle


@BOTH
async def test_a_failed_request_fails_in_chromium_and_node_and_is_sent_once(executable: Path) -> None:
    async with browsing(executable, _failing, down="127.0.0.1:1") as fixture:
        page = await fixture.browser.new_page()
        failed: list[str | None] = []
        page.on("requestfailed", lambda request: failed.append(request.failure))
        for scheme, authority, reason in (
            ("http", "down.test:80", "connection_refused"),
            ("http", "unknown.invalid:80", "name_not_resolved"),
            ("http", "elsewhere.example:80", "host_not_allowed"),
            ("http", "down.test:8080", "port_not_allowed"),
            ("https", "down.test:443", "connection_refused"),
            ("https", "elsewhere.example:443", "host_not_allowed"),
        ):
            url = f"{scheme}://{authority}/"
            failed.clear()
            said = FAILED_TUNNEL if scheme == "https" else FAILED_HTTP
            with pytest.raises(BrowserError, match=said):
                await page.goto(url)
            assert failed == [said]
            with pytest.raises(BrowserError, match=f"Pageworker-Egress [a-z]+ {reason} "):
                await page.request.get(url)
            assert fixture.reported(authority) == {reason}

        page = await fixture.browser.new_page()
        await page.goto("http://shop.test/")
        fixture.origin.heads.clear()
        # On a connection that was used before: Chromium would repeat a request that just got no answer there.
        order = "fetch('/order', {method: 'POST', body: 'one'}).then(() => 'answered', String)"
        assert await page.evaluate(order) == "TypeError: Failed to fetch"
        assert [head.split()[0] for head in fixture.origin.heads if b"/order" in head] == [b"POST"]
