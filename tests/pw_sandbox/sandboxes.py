"""Real sandboxes for tests: a host, a profile folder, and the test agent in the place of the runner."""

import asyncio
import itertools
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pageworker_sandbox.launch import Host, SandboxedProcess, survey
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.packages import CODE
from pageworker_sandbox.launch.program import SandboxProgram
from pageworker_sandbox.launch.root_layout import SandboxSpec, runner_mounts
from pageworker_sandbox.launch.start import runner_limits, start
from pw_sandbox import agent
from pw_sandbox.uids import FIRST_UID

UID = FIRST_UID if os.geteuid() == 0 else None
"""The first of a hundred that are this process's own: the kernel counts processes per user."""
FULL = Path("/usr/lib/chromium/chromium")
HEADLESS = Path("/usr/lib/chromium/chromium-headless-shell")
ANSWER_SECONDS = 60.0
_numbers = itertools.count(1)

CONFINE = """
from pageworker_sandbox import confine
answer = confine.confine(confine.interpreter(), filter_fd)
"""
BROWSER = """
import asyncio
from pageworker_sandbox import confine
confine.watch_children_without_threads()
confine.allow_exec(["/opt/pageworker/site/playwright/driver/node", browser])
from playwright.async_api import async_playwright
playwright = await async_playwright().start()
context = await playwright.chromium.launch_persistent_context(
    "/profile", executable_path=browser, chromium_sandbox=True, headless=True,
    proxy={"server": f"http://127.0.0.1:{port}"}, args=["--proxy-bypass-list=<-loopback>"],
)
page = context.pages[0]
answer = context.browser.version if context.browser else "?"
"""
LISTEN = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
socket.send_fds(channel, [b"L"], [listener.fileno()])
listener.close()
answer = port
"""


class RaisedInside(Exception):
    """The code raised inside. `errno` is the kernel's answer where there was one."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(f"{answer['error']}: {answer['text']}")
        self.kind: str = answer["error"]
        self.errno: int | None = answer["errno"]


@dataclass
class AgentSandbox:
    """A sandbox with the test agent in it."""

    process: SandboxedProcess
    listener: socket.socket | None = None

    async def run(self, code: str, **names: object) -> Any:
        """Execute code inside. Returns the value of its variable `answer`. Raises RaisedInside."""
        header = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        await self._send(json.dumps({"code": header + code}).encode())
        return self._parse(await self._receive())

    async def listen(self) -> int:
        """Open a listener inside and receive its descriptor, as the supervisor does for the gateway."""
        loop = asyncio.get_running_loop()
        await self._send(json.dumps({"code": LISTEN}).encode())
        ready = asyncio.Event()
        loop.add_reader(self.process.channel, ready.set)
        await ready.wait()
        loop.remove_reader(self.process.channel)
        _, descriptors, _, _ = socket.recv_fds(self.process.channel, 1, 1)
        self.listener = socket.socket(fileno=descriptors[0])
        port: int = self._parse(await self._receive())
        return port

    async def browse(self, browser: Path) -> str:
        """Start Playwright and a browser inside, then confine. Returns the browser's version."""
        version: str = await self.run(BROWSER, browser=str(browser), port=await self.listen())
        await self.run(CONFINE)
        return version

    async def _send(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.process.channel, agent.HEADER.pack(len(body)) + body)

    async def _receive(self) -> bytes:
        (length,) = agent.HEADER.unpack(await self._exactly(agent.HEADER.size))
        return await self._exactly(length)

    async def _exactly(self, length: int) -> bytes:
        body = b""
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(body) < length:
                part = await asyncio.get_running_loop().sock_recv(self.process.channel, length - len(body))
                if not part:
                    raise EOFError(f"the agent is gone; {self.process.stderr}")
                body += part
        return body

    def _parse(self, body: bytes) -> Any:
        answer = json.loads(body)
        if "error" in answer:
            raise RaisedInside(answer)
        return answer["answer"]


def host(browser: Path | None = None) -> Host:
    """The present host, with the agent beside the runner's code."""
    found = survey(None, browser)
    source = Bind(Path(agent.__file__), CODE / "pw_agent.py")
    return replace(found, runner=(*found.runner, source))


def spec(profile: Path, *, processes: int = 1000, uid: int | None = UID) -> SandboxSpec:
    """A runner with a profile folder that its user owns."""
    profile.mkdir(mode=0o700, exist_ok=True)
    if uid is not None:
        os.chown(profile, uid, uid)
    # Each has a name of its own: sandboxes that run at the same time must not share a cgroup.
    return SandboxSpec(f"test.{os.getpid()}.{next(_numbers)}", uid, profile, 2 * 1024**3, processes)


def program(where: Host, wanted: SandboxSpec) -> SandboxProgram:
    """The agent as a program, with a runner's policies and limits."""
    return SandboxProgram(
        name=wanted.runner_id,
        module="pw_agent",
        policy="runner",
        mounts=runner_mounts(where, wanted),
        uid=wanted.uid,
        limits=runner_limits(wanted),
        second_policy="confined",
    )


@asynccontextmanager
async def sandbox(where: Host, wanted: SandboxSpec) -> AsyncIterator[AgentSandbox]:
    """A sandbox with the agent. It ends with the context."""
    async with agent_in(where, program(where, wanted)) as inside:
        yield inside


@asynccontextmanager
async def agent_in(where: Host, program: SandboxProgram) -> AsyncIterator[AgentSandbox]:
    """The agent in the place of this program. It ends with the context."""
    inside = AgentSandbox(await start(where, replace(program, module="pw_agent")))
    inside.process.channel.setblocking(False)
    try:
        yield inside
    finally:
        inside.process.kill()
        await inside.process.wait()
        inside.process.channel.close()
        if inside.listener is not None:
            inside.listener.close()
