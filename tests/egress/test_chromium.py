"""A real Chromium and Playwright's request API with the gateway as their proxy."""

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from pw_egress.origin import Handler, Origin, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import ALL, listener

from pageworker_sandbox.egress.messages import EgressPolicy

CHROMIUM = next(
    (p for p in ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium") if Path(p).exists()), None
)
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


@pytest.mark.browser
async def test_chromium_reaches_what_is_allowed_and_nothing_else() -> None:
    assert CHROMIUM is not None, "install chromium-headless-shell"
    async with (
        serving(_shop) as origin,
        gateway(f"127.0.0.1:{origin.port}") as (supervisor, _),
        async_playwright() as playwright,
    ):
        with listener() as sock:
            port = sock.getsockname()[1]
            policy = EgressPolicy(hosts=ALL, fixed={"shop.test": f"127.0.0.1:{origin.port}"})
            await attach(supervisor, "runner-1", sock, policy)
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            proxy={"server": f"http://127.0.0.1:{port}", "bypass": "<-loopback>"},
            args=["--no-sandbox"],
        )
        page = await browser.new_page()
        await page.goto("http://shop.test/")
        await page.wait_for_function("document.title == 'shop data'")

        for address in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "127.0.0.1", "2852039166"):
            response = await page.goto(f"http://{address}/")
            assert response is not None
            assert response.status == 403
            assert response.headers["pageworker-egress"] == "refused; reason=private_address"
        with pytest.raises(Exception, match="ERR_TUNNEL_CONNECTION_FAILED"):
            await page.goto("https://127.0.0.1/")

        page = await browser.new_page()
        await page.goto("http://shop.test/")
        assert await page.evaluate(WEBSOCKET, "ws://shop.test/ws") == "HELLO"
        with pytest.raises(Exception, match="refused"):
            await page.evaluate(WEBSOCKET, "ws://169.254.169.254/ws")

        assert await (await page.request.get("http://shop.test/data")).text() == " data"
        assert (await page.request.get("http://10.0.0.1/")).status == 403
        await browser.close()
        usage = (await supervisor.usage())["runner-1"]
        assert usage.refused["private_address"] >= 6
