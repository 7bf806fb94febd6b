"""Attacks by pages, and proof that the browser's own sandbox is on."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import AgentSandbox, RaisedInside

from pageworker_sandbox.launch import procfs

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LOCAL = ("file:///etc/passwd", "view-source:file:///etc/passwd", "file:///root", "file:///home")


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=[sandboxes.FULL, sandboxes.HEADLESS], ids=lambda p: p.name
)
async def browsing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AgentSandbox]:
    profile = tmp_path_factory.mktemp("pages") / "profile"
    async with sandboxes.sandbox(sandboxes.host(request.param), sandboxes.spec(profile)) as inside:
        await inside.browse(request.param)
        await inside.run(f"full = {request.param == sandboxes.FULL}")
        yield inside


async def read(inside: AgentSandbox, url: str) -> str:
    """The text of a fresh page. Raises RaisedInside."""
    code = """
page = await context.new_page()
try:
    await page.goto(url, timeout=5000)
    answer = await page.inner_text("body")
finally:
    await page.close()
"""
    text: str = await inside.run(code, url=url)
    return text


async def is_full(inside: AgentSandbox) -> bool:
    return bool(await inside.run("answer = full"))


async def serve(listener: socket.socket, asked: list[bytes]) -> None:
    """Answer on the runner's listener like a gateway that refuses everything, and record the requests."""
    listener.setblocking(False)
    loop = asyncio.get_running_loop()

    async def answer(connection: socket.socket) -> None:
        with connection:
            asked.append(await loop.sock_recv(connection, 4096))
            await loop.sock_sendall(connection, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nrefused")

    async with asyncio.TaskGroup() as tasks:
        while True:
            connection, _ = await loop.sock_accept(listener)
            tasks.create_task(answer(connection))


async def test_chromium_says_that_its_own_sandbox_is_on(browsing: AgentSandbox) -> None:
    if not await is_full(browsing):
        with pytest.raises(RaisedInside, match="ERR_INVALID_URL"):  # the headless shell has no such page
            await read(browsing, "chrome://sandbox")
        return
    text = await read(browsing, "chrome://sandbox")
    assert "You are adequately sandboxed." in text
    assert "Layer 1 Sandbox\tNamespace" in text
    assert "Seccomp-BPF sandbox\tYes" in text


async def test_renderers_are_in_namespaces_of_their_own(browsing: AgentSandbox) -> None:
    # Checks in /proc what chrome://sandbox reports. The headless shell has no such page.
    await read(browsing, "data:text/html,x")
    _, first, *rest = procfs.tree(browsing.process.pid)
    program = procfs.namespaces(first)
    deep = []
    for pid in rest:
        with suppress(*procfs.GONE):  # Chromium's helpers come and go
            deep.append(procfs.namespaces(pid))
    inner = [seen for seen in deep if seen["user"] != program["user"]]
    assert inner
    assert all(seen["net"] != program["net"] and seen["pid"] != program["pid"] for seen in inner)


async def test_local_schemes_are_blocked(browsing: AgentSandbox) -> None:
    full = await is_full(browsing)
    for url in LOCAL:
        with pytest.raises(RaisedInside, match="ERR_BLOCKED_BY_ADMINISTRATOR" if full else "ERR_FILE_NOT_FOUND"):
            await read(browsing, url)
    for url in ("file:///profile", "chrome://version", "devtools://devtools/bundled/inspector.html"):
        if (
            full
        ):  # the headless shell reads no policy; it can open its own profile, which the tenant's module can read too
            with pytest.raises(RaisedInside, match="ERR_BLOCKED_BY_ADMINISTRATOR"):
                await read(browsing, url)
    assert await read(browsing, "data:text/html,works") == "works"


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/", "http://127.0.0.1:6379/", "http://[::1]:9470/"])
async def test_every_request_meets_the_gateway(browsing: AgentSandbox, url: str) -> None:
    assert browsing.listener is not None
    asked: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(browsing.listener, asked))
        text = await read(browsing, url)
        serving.cancel()
    assert any(request.startswith(f"GET {url} HTTP/1.1".encode()) for request in asked)
    assert text == "refused"


async def test_a_page_reaches_no_socket_but_the_gateways(browsing: AgentSandbox) -> None:
    script = """
answer = await page.evaluate('''async port => {
  const timer = ms => new Promise(done => setTimeout(() => done('silent'), ms));
  const end = await Promise.race([timer(1000), new Promise(done => {
    const s = new WebSocket(`ws://127.0.0.1:${port}/`); s.onerror = () => done('error');
    s.onopen = () => done('open') })]);
  const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:1.1.1.1:3478'}]}), found = [];
  peer.onicecandidate = e => e.candidate && found.push(e.candidate.type);
  peer.createDataChannel('x'); await peer.setLocalDescription(await peer.createOffer());
  await timer(500);
  return [end, found.filter(kind => kind != 'host').length];
}''', port)
"""
    with socket.create_server(("127.0.0.1", 0)) as ours:
        ours.setblocking(False)
        await browsing.run("page = await context.new_page()\nawait page.goto('data:text/html,x')")
        end, reached = await browsing.run(script, port=ours.getsockname()[1])
        assert end in ("error", "silent")
        assert reached == 0
        with pytest.raises(BlockingIOError):
            ours.accept()
