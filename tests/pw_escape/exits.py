"""The real gateway and dialer in their sandboxes, without some named rules."""

import asyncio
import json
import os
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pw_egress.processes import attach
from pw_sandbox.uids import FIRST_UID

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_sandbox.egress.client import GatewayClient, GatewayLost, connect
from pageworker_sandbox.egress.messages import EgressPolicy, Upstream
from pageworker_sandbox.launch import GatewayUsers, Host, launch_gateway
from pageworker_sandbox.launch import gateway as launching
from pageworker_sandbox.launch.gateway import GatewayProcesses
from pageworker_sandbox.launch.mounts import Bind, Data
from pageworker_sandbox.launch.packages import CODE
from pageworker_sandbox.launch.program import SandboxProgram
from pw_escape import weak_dialer, weak_gateway
from pw_escape.names import RECORDS

USERS = GatewayUsers(FIRST_UID + 4, FIRST_UID + 5) if os.geteuid() == 0 else GatewayUsers(None, None)
FORBIDDEN = "other.test"
# Globs for all names but FORBIDDEN, and for all addresses.
MODULES = (*(name for name in RECORDS if name != FORBIDDEN), *(f"*{digit}*" for digit in range(10)), "*:*")
POLICY = EgressPolicy(hosts=(("*",), MODULES))
# The dialer does not permit this proxy, so it never works.
BY_PROXY = EgressPolicy(hosts=POLICY.hosts, upstreams=(Upstream(url="http://127.0.0.1:9"),))
PROGRAMS = {"gateway": weak_gateway, "dialer": weak_dialer}


class Exit:
    """A gateway and its dialer, for one sandbox."""

    def __init__(self, processes: GatewayProcesses) -> None:
        self._processes = processes
        self._gateway: GatewayClient = connect(processes.channel)
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def attach(self, listener: socket.socket, by_proxy: socket.socket) -> None:
        """Serve the connections to these listeners: directly, and by a proxy policy whose only proxy does not work."""
        await attach(self._gateway, "attacker", listener, POLICY)
        await attach(self._gateway, "attacker-by-proxy", by_proxy, BY_PROXY)

    async def end(self) -> None:
        """End both processes."""
        self._processes.kill()
        await self._processes.wait()
        await self._running

    async def _run(self) -> None:
        with suppress(GatewayLost):
            await self._gateway.run()


async def begin(host: Host, without: frozenset[str], barred: int) -> Exit:
    """Start a gateway and a dialer without these rules. Raises LaunchFailed."""
    with ExitStack() as stack:
        for name in PROGRAMS if without else ():
            program = f"{name}_program"
            weaker = partial(_weaker, getattr(launching, program), name, without)
            stack.enter_context(patch.object(launching, program, weaker))
        return Exit(await launch_gateway(host, USERS, DialRules(ports=(80, 443), barred=(barred,))))


def _weaker(
    make: Any, name: str, without: frozenset[str], host: Host, uid: int | None, *descriptors: int
) -> SandboxProgram:
    program: SandboxProgram = make(host, uid, *descriptors)
    module = Bind(Path(str(PROGRAMS[name].__file__)), CODE / "pw_weaker.py")
    told = Data(json.dumps(sorted(without)), CODE / "pw_without.json")
    return replace(program, module="pw_weaker", mounts=(*program.mounts, module, told))
