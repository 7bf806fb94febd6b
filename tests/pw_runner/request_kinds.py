"""A page that makes each kind of request once, to hosts below `ads.example`, and the site of all these hosts."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

KINDS = {
    "fetch": "fetch(url, {mode: 'no-cors'})",
    "fetch keepalive": "fetch(url, {mode: 'no-cors', keepalive: true})",
    "xhr": """new Promise((good, bad) => {
        const request = Object.assign(new XMLHttpRequest(), {onload: good, onerror: bad})
        request.open('GET', url); request.send() })""",
    "event source": "opened(new EventSource(url))",
    "beacon": "Promise.resolve(navigator.sendBeacon(url))",
    "web socket": "opened(new WebSocket(socket))",
    "web socket over tls": "opened(new WebSocket(safe))",
    "fetch of a worker": "inWorker(`fetch('${url}', {mode: 'no-cors'})`)",
    "web socket of a worker": "inWorker(`new Promise((good, bad) => "
    "Object.assign(new WebSocket('${socket}'), {onopen: good, onerror: bad}))`)",
    "script of a worker": "inWorker(`importScripts('${url}')`)",
    "fetch of a shared worker": "shared(url)",
    "fetch of a service worker": "service('/fetch.js?' + url)",
    "web socket of a service worker": "service('/socket.js?' + socket)",
    "script": "made('script', {src: url})",
    "module": "import(url)",
    "style sheet": "made('link', {rel: 'stylesheet', href: url})",
    "prefetch": "made('link', {rel: 'prefetch', href: url})",
    "preload": "made('link', {rel: 'preload', as: 'fetch', href: url})",
    "module preload": "made('link', {rel: 'modulepreload', href: url})",
    "image": "made('img', {src: url})",
    "object": "made('object', {data: url})",
    "video": "made('video', {src: url, preload: 'auto'})",
    "font": "new FontFace('x', `url(${url})`).load()",
    "frame": "Promise.resolve(void made('iframe', {src: url}))",
    "form": "Promise.resolve(void made('iframe', {name: 'there'}), send(url, 'there'))",
    "ping of a link": "Promise.resolve(made('a', {href: '#here', ping: url}), document.querySelector('a').click())",
    "report of a policy": "Promise.resolve(void made('iframe', {src: '/strict'}))",
}
"""What makes the request, in the words of the page. `url`, `socket` and `safe` end with the kind."""
CONNECTIONS = {
    "preconnect": "Promise.resolve(void made('link', {rel: 'preconnect', href: 'https://early.ads.example'}))",
    "turn over TCP": "gathered('turn:turn.ads.example:80?transport=tcp')",
}
"""The same for what only opens connections."""
NEVER_SENT = {
    "web transport": "new WebTransport('https://tls.ads.example/kind/web transport').ready",
    "speculation": "speculate(url)",
}
"""What this Chromium never sends: HTTP/3 is off, and Playwright switches speculation off."""
PAGE = """<!doctype html><link rel=icon href="data:,"><body><script>
const opened = it => new Promise((good, bad) => Object.assign(it, {onopen: good, onerror: bad}))
const made = (name, values) => new Promise((good, bad) =>
  document.body.append(Object.assign(document.createElement(name), {onload: good, onerror: bad}, values)))
const inWorker = text => new Promise((good, bad) => {
  const code = `(async () => ${text})().then(() => postMessage(1), () => postMessage(0))`
  new Worker(URL.createObjectURL(new Blob([code]))).onmessage = event => event.data ? good() : bad() })
const shared = url => new Promise((good, bad) => {
  new SharedWorker('/shared.js?' + url).port.onmessage = event => event.data ? good() : bad() })
const service = async script => {
  const worker = (await navigator.serviceWorker.register(script, {scope: '/' + Math.random()})).installing
  while (!['activated', 'redundant'].includes(worker.state))
    await new Promise(done => worker.addEventListener('statechange', done, {once: true}))
  if (worker.state === 'redundant') throw new Error('it could not be installed') }
const send = (action, target) => {
  const form = Object.assign(document.createElement('form'), {action, target, method: 'POST'})
  document.body.append(form); form.submit() }
const gathered = urls => new Promise(good => {
  const iceServers = [{urls, username: 'x', credential: 'y'}]
  const peer = new RTCPeerConnection({iceServers, iceTransportPolicy: 'relay'})
  peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && good()
  peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer)) })
const speculate = async url => {
  const textContent = JSON.stringify({prefetch: [{source: 'list', urls: [url], eagerness: 'immediate'}]})
  document.body.append(Object.assign(document.createElement('script'), {type: 'speculationrules', textContent})) }
const start = {
@KINDS@
}
window.all = async () => {
  const end = ([name, act]) => {
    const path = 'ads.example/kind/' + name.replaceAll(' ', '-')
    const request = act('http://a.' + path, 'ws://a.' + path, 'wss://tls.' + path)
    const late = new Promise(done => setTimeout(() => done([name, 'open']), 5000))
    return Promise.race([late, request.then(() => [name, 'sent'], () => [name, 'error'])])
  }
  return Object.fromEntries(await Promise.all(Object.entries(start).map(end))) }
</script>"""
FETCH = "fetch(decodeURIComponent(location.search.slice(1)), {mode: 'no-cors'})"
SOCKET = """new Promise((good, bad) =>
  Object.assign(new WebSocket(decodeURIComponent(location.search.slice(1))), {onopen: good, onerror: bad}))"""
SCRIPTS = {
    "/fetch.js": f"oninstall = event => event.waitUntil({FETCH})",
    "/socket.js": f"oninstall = event => event.waitUntil({SOCKET})",
    "/shared.js": "onconnect = event => { const say = word => event.ports[0].postMessage(word);"
    f" {FETCH}.then(() => say(1), () => say(0)) }}",
}
STRICT = "Content-Security-Policy: default-src 'none'; report-uri http://a.ads.example/kind/report-of-a-policy\r\n"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""


def page() -> str:
    """The page. `all()` makes every request, and answers how each one ended."""
    entries = (
        f"{name!r}: (url, socket, safe) => {act}," for name, act in {**CONNECTIONS, **KINDS, **NEVER_SENT}.items()
    )
    return PAGE.replace("@KINDS@", "\n".join(entries))


Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class AdSite:
    """`localhost` has the page. `addresses`: by host. `seen`: the kinds that arrived.

    `/seen` is answered once all kinds of requests have arrived.
    """

    addresses: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def _arrived(self, kind: str) -> None:
        async with self.changed:
            self.seen.add(kind)
            self.changed.notify_all()

    async def _connected(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._arrived(kind)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                path = head.split(" ")[1]
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await reader.readexactly(int(fields.get("content-length", "0")))
                if path.startswith("/kind/"):
                    await self._arrived(path.removeprefix("/kind/").replace("-", " "))
                if path == "/seen":
                    async with self.changed:
                        await self.changed.wait_for(lambda: {*KINDS} <= self.seen)
                writer.write(_answer(head, path.partition("?")[0], fields))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()


def _answer(head: str, path: str, fields: dict[str, str]) -> bytes:
    if "sec-websocket-key" in fields:
        key = head.lower().index("sec-websocket-key: ") + len("sec-websocket-key: ")
        accept = base64.b64encode(hashlib.sha1(head[key : key + 24].encode() + WEBSOCKET_GUID).digest()).decode()
        lines = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        return f"HTTP/1.1 101 Switching Protocols\r\n{lines}".encode()
    kind, body = "text/javascript", SCRIPTS.get(path, "")
    if path == "/page":
        kind, body = "text/html", page()
    elif path == "/strict":
        kind, body = "text/html", "<script>1</script>"
    elif fields.get("accept") == "text/event-stream":
        kind, body = "text/event-stream", "data: x\n\n"
    more = STRICT if path == "/strict" else "Access-Control-Allow-Origin: *\r\nService-Worker-Allowed: /\r\n"
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def ad_site(tls: ssl.SSLContext) -> AsyncIterator[AdSite]:
    """All hosts, each on a port of its own. `tls`: with a certificate, for `tls.ads.example`."""
    site = AdSite()
    handlers: dict[str, tuple[Handle, ssl.SSLContext | None]] = {
        "localhost": (site._serve, None),
        "a.ads.example": (site._serve, None),
        "tls.ads.example": (site._serve, tls),
        "early.ads.example": (partial(site._connected, "preconnect"), None),
        "turn.ads.example": (partial(site._connected, "turn over TCP"), None),
    }
    async with AsyncExitStack() as stack:
        for host, (handle, context) in handlers.items():
            server = await stack.enter_async_context(await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context))
            site.addresses[host] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield site
