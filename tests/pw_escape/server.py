"""The attack host, as root or as an ordinary user: `python -m pw_escape.server FOLDER`.

Each line on stdin is a JSON object that requests an attack. Each line on stdout is its outcome. A sandbox is started
for the first attack that needs it, and kept for later attacks on the same one.
"""

import asyncio
import base64
import json
import os
import socket
import sys
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pw_sandbox import agent
from pw_sandbox.sandboxes import AgentSandbox, RaisedInside

from pageworker_sandbox.launch import Host, LaunchFailed, SandboxedProcess, survey
from pageworker_sandbox.launch.gateway import dialer_program, gateway_program
from pageworker_sandbox.launch.interpreter import masks
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.packages import CODE
from pageworker_sandbox.launch.program import SandboxProgram
from pageworker_sandbox.launch.root_layout import SandboxSpec, runner_mounts
from pageworker_sandbox.launch.start import runner_limits
from pw_escape import exits, folders, inside, life, pages, policies, weaken, wires
from pw_escape import mechanisms as m
from pw_escape.attack import AttackPlace
from pw_escape.prelude import CALLS, PRELUDE
from pw_escape.world import BROWSER_UIDS, UID, World

SERVERS = (AttackPlace.GATEWAY, AttackPlace.DIALER)
"""Their sandboxes permit no new process, so attacks run in the agent's own process."""
NONE: dict[str, Any] = {
    "gateway": False,
    "exec": [],
    "confined": False,
    "filters": [],
    "without": [],
    "weakened": False,
}
"""No layers: for code that prepares an attack."""
LISTEN = """
listener = socket.create_server(("127.0.0.1", 0))
socket.send_fds(channel, [b"L"], [listener.fileno()])
answer = listener.getsockname()[1]
listener.close()
"""
KEPT, KEPT_BROWSERS = 6, 2
MEMORY_BYTES, BROWSER_MEMORY_BYTES = 768 * 1024**2, 2 * 1024**3
PROCESSES = 200
BROWSER_PROCESSES = 1000
BROWSER_STARTS = 2
"""Tries. On a busy host a browser may not start, or may hang."""
ANSWER_SECONDS = 40.0
INSIDE = (m.LAYER_1, m.LANDLOCK, m.CONFINED_FILTER, m.NOT_DUMPABLE)
"""Mechanisms that an attacker's process applies to itself. The launcher applies all others."""


@dataclass
class Sandbox:
    """A sandbox with an agent in it, and perhaps a browser."""

    process: SandboxedProcess
    browsing: AgentSandbox | None = None
    exit: exits.Exit | None = None
    port: int = 0
    """Port of the listener that its gateway serves."""
    proxied_port: int = 0
    """The same, with a proxy policy."""

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Request one attack from the agent. Raises EOFError, TimeoutError."""
        loop = asyncio.get_running_loop()
        body = json.dumps(request).encode()
        await loop.sock_sendall(self.process.channel, inside.HEADER.pack(len(body)) + body)
        async with asyncio.timeout(ANSWER_SECONDS):
            (length,) = inside.HEADER.unpack(await self._exactly(inside.HEADER.size))
            answer: dict[str, Any] = json.loads(await self._exactly(length))
        return answer

    async def _exactly(self, length: int) -> bytes:
        body = b""
        while len(body) < length:
            part = await asyncio.get_running_loop().sock_recv(self.process.channel, length - len(body))
            if not part:
                raise EOFError("the agent is gone")
            body += part
        return body

    async def listen(self) -> tuple[socket.socket, int]:
        """Open a listener inside. Returns it and its port."""
        loop = asyncio.get_running_loop()
        request = {"fork": False, "prelude": PRELUDE, "names": {"NR": {}}, "before": "", "code": LISTEN, "layers": NONE}
        body = json.dumps(request).encode()
        await loop.sock_sendall(self.process.channel, inside.HEADER.pack(len(body)) + body)
        ready = asyncio.Event()
        loop.add_reader(self.process.channel, ready.set)
        await ready.wait()
        loop.remove_reader(self.process.channel)
        _, (descriptor, *_), _, _ = socket.recv_fds(self.process.channel, 1, 1)
        (length,) = inside.HEADER.unpack(await self._exactly(inside.HEADER.size))
        answer = json.loads(await self._exactly(length))
        return socket.socket(fileno=descriptor), int(answer["text"])

    async def end(self) -> None:
        """End all processes of the sandbox."""
        if self.exit is not None:
            await self.exit.end()
        self.process.kill()
        await self.process.wait()
        self.process.channel.close()


class Sandboxes:
    """The running sandboxes, by attack place and by the mechanisms that they lack."""

    def __init__(self, world: World, host: Host) -> None:
        self._world = world
        self._host = host
        self._made = 0
        self._running: OrderedDict[tuple[AttackPlace, frozenset[str]], Sandbox] = OrderedDict()

    async def get(self, place: AttackPlace, without: frozenset[str]) -> Sandbox:
        """The sandbox for this place without these mechanisms. Starts it if needed. Raises LaunchFailed."""
        key = (place, without)
        if key not in self._running:
            await self._evict(place.value in pages.BROWSERS)
            self._running[key] = await self._new(place, without)
        self._running.move_to_end(key)
        return self._running[key]

    async def _evict(self, browser: bool) -> None:
        alike = [key for key in self._running if (key[0].value in pages.BROWSERS) == browser]
        if len(alike) >= (KEPT_BROWSERS if browser else KEPT):
            await self._running.pop(alike[0]).end()

    async def _new(self, place: AttackPlace, without: frozenset[str]) -> Sandbox:
        if place is AttackPlace.EGRESS:
            return await self._with_exit(without)
        browser = pages.BROWSERS.get(place.value)
        program = self._server(place) if place in SERVERS else self._runner(browser)
        process = await self._start(program, without)
        process.channel.setblocking(False)
        browsing = None if browser is None else await pages.begin(process, self._host, browser, without)
        return Sandbox(process, browsing)

    async def _with_exit(self, without: frozenset[str]) -> Sandbox:
        sandbox = await self._new(AttackPlace.CONQUERED, frozenset())
        listener, sandbox.port = await sandbox.listen()
        by_proxy, sandbox.proxied_port = await sandbox.listen()
        with listener, by_proxy:
            sandbox.exit = await exits.begin(self._host, without, self._world.ports["tcp"])
            await sandbox.exit.attach(listener, by_proxy)
        return sandbox

    async def _start(self, program: SandboxProgram, without: frozenset[str]) -> SandboxedProcess:
        try:
            return await weaken.start(self._host, program, without, self._world.targets)
        except LaunchFailed as error:
            if "join the cgroup" not in str(error):
                raise
            # A supervisor in another pid namespace has removed our cgroup as a leftover. It is created again.
            return await weaken.start(self._host, program, without, self._world.targets)

    async def drop(self, place: AttackPlace, without: frozenset[str]) -> str:
        """Drop a sandbox that did not survive. Returns its last output."""
        if (place, without) not in self._running:
            return "it never ran"
        sandbox = self._running.pop((place, without))
        await sandbox.end()
        return sandbox.process.stderr

    async def close(self) -> None:
        """End all."""
        for sandbox in self._running.values():
            await sandbox.end()

    def _runner(self, browser: Path | None) -> SandboxProgram:
        self._made += 1
        # A low limit, which a fork bomb reaches soon. A browser needs more.
        processes, user, memory = PROCESSES, UID, MEMORY_BYTES
        if browser is not None:
            processes, memory = BROWSER_PROCESSES, BROWSER_MEMORY_BYTES
            user = None if UID is None else BROWSER_UIDS[self._made % len(BROWSER_UIDS)]
        spec = SandboxSpec(f"escape.{os.getpid()}.{self._made}", user, self._world.profile(user), memory, processes)
        library = self._world.library
        ours = (
            Bind(self._world.code, CODE / "pw_shared"),
            Bind(library, CODE / "pw_library"),
            *masks(library, CODE / "pw_library"),
        )
        return SandboxProgram(
            name=spec.runner_id,
            module="pw_inside" if browser is None else "pw_agent",
            policy="runner",
            mounts=(*runner_mounts(self._host, spec), *ours),
            uid=user,
            limits=runner_limits(spec),
            second_policy="confined",
        )

    def _server(self, place: AttackPlace) -> SandboxProgram:
        """The agent in the sandbox of the gateway or of the dialer."""
        make = gateway_program if place is AttackPlace.GATEWAY else dialer_program
        program = make(self._host, UID, -1)
        mounts = (*program.mounts, Bind(self._world.code, CODE / "pw_shared"))
        return replace(program, module="pw_inside", mounts=mounts, passed={})


def agents_host() -> Host:
    """This machine, with the agent beside the runner's and the gateway's code."""
    found = survey(None, pages.BROWSERS["page"])
    browsers_agent = Bind(Path(agent.__file__), CODE / "pw_agent.py")
    ours = Bind(Path(inside.__file__), CODE / "pw_inside.py")
    return replace(found, runner=(*found.runner, ours, browsers_agent), gateway=(*found.gateway, ours))


async def attack(world: World, sandboxes: Sandboxes, host: Host, request: dict[str, Any]) -> dict[str, Any]:
    """Run an attack. Returns its outcome; `kind` is empty if it succeeded."""
    place, without = AttackPlace(request["place"]), frozenset(request["without"])
    if place is AttackPlace.WIRE:
        return await wires.attack(request["code"], without)
    if place is AttackPlace.FOLDER:
        return folders.attack(world.scratch(), request["code"], without)
    if place is AttackPlace.LIFE:
        return await life.attack(world.profile(UID), request["code"], without)
    if place.value in pages.BROWSERS:
        return await by_a_page(world, sandboxes, host, place, without, request)
    inner = frozenset(name for name in without if name.partition(":")[0] in INSIDE)
    confined = place is AttackPlace.CONFINED
    # Both kinds of attackers in a runner use the same sandbox.
    outer = place if place in (*SERVERS, AttackPlace.EGRESS) else AttackPlace.CONQUERED
    confined_calls, runner_calls = m.details(without, m.CONFINED_FILTER), m.details(without, m.RUNNER_FILTER)
    filters = []
    if runner_calls and m.NO_NEW_PRIVS not in without:
        # All of them use one sandbox without a filter. The attacker loads the weakened filter itself.
        without = without - {m.runner_filter(call) for call in runner_calls} | {m.runner_filter(m.EVERYTHING)}
        filters.append(policies.weakened("runner", runner_calls))
    if confined:
        filters.append(policies.weakened("confined", confined_calls))
    names: dict[str, Any] = {
        "HOST": world.names(),
        "NR": numbers(),
        "PYTHON": str(host.python),
        "BROWSER": str(next(iter(host.browsers.values()))),
    }
    told = {
        "fork": place not in SERVERS,
        "prelude": PRELUDE,
        "names": names,
        "before": request["before"],
        "code": request["code"],
        "layers": {
            "gateway": place is AttackPlace.GATEWAY and m.GATEWAY_LANDLOCK not in without,
            "exec": []
            if place in SERVERS
            else ["/opt/pageworker/site/playwright/driver/node", str(next(iter(host.browsers.values())).parent)],
            "confined": confined,
            "filters": [base64.b64encode(program).decode() for program in filters],
            "without": sorted(inner),
            "weakened": bool(without),
        },
    }
    try:
        sandbox = await sandboxes.get(outer, without - inner)
        names |= {"PORT": sandbox.port, "PROXIED_PORT": sandbox.proxied_port}
        world.name_server.forget()
        return await sandbox.ask(told)
    except (EOFError, TimeoutError, OSError) as error:
        words = ""
        if not isinstance(error, OSError):
            words = await sandboxes.drop(outer, without - inner)
        return {"kind": "lost", "text": f"{type(error).__name__}: {error} {words}"}


async def by_a_page(
    world: World, sandboxes: Sandboxes, host: Host, place: AttackPlace, without: frozenset[str], request: dict[str, Any]
) -> dict[str, Any]:
    """Run an attack in a browser."""
    browser = str(pages.BROWSERS[place.value])
    names = {"HOST": world.names(), "PYTHON": str(host.python), "BROWSER": browser}
    words = ""
    for _ in range(BROWSER_STARTS):
        try:
            sandbox = await sandboxes.get(place, without)
            assert sandbox.browsing is not None
            return await pages.attack(sandbox.browsing, request["before"], request["code"], names)
        except (EOFError, TimeoutError, OSError, RaisedInside) as error:
            words = f"{type(error).__name__}: {error} {await sandboxes.drop(place, without)}"
    return {"kind": "lost", "text": words}


def numbers() -> dict[str, int]:
    """Numbers of system calls on this machine, by name."""
    return {name: found for name in CALLS if (found := policies.number(name)) is not None}


async def main(folder: Path) -> None:
    """Serve until stdin is closed."""
    world = World(folder)
    host = agents_host()
    sandboxes = Sandboxes(world, host)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            answer = await attack(world, sandboxes, host, json.loads(line))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        await sandboxes.close()
        world.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
