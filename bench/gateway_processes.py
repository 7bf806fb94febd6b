"""The egress gateway and its dialer without their sandboxes: for clients that are no browser."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, DialRules
from pageworker_sandbox.egress.client import GatewayClient, GatewayLost, connect
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.request_failure import failure_pipe

SANDBOX = Path(__file__).parents[1] / "sandbox"


@asynccontextmanager
async def gateway(target: str) -> AsyncIterator[GatewayClient]:
    """A running gateway, which may reach the private `address:port`."""
    for_gateway, for_dialer = socket.socketpair()
    with for_gateway, for_dialer:
        to_dialer, dialer = await _start("dialer", "--gateway-fd", for_dialer)
        to_gateway, process = await _start("egress", "--dialer-fd", for_gateway)
    rules = Channel(to_dialer, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR)
    await rules.send(DialRules(ports=(80, 443), targets=(target,)))
    await rules.receive()
    client = connect(to_gateway)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(client))
        yield client
        reading.cancel()
    to_gateway.close()
    await process.wait()
    await dialer.wait()
    rules.close()


async def attach(client: GatewayClient, runner_id: str, host: str, target: str) -> int:
    """Attach a runner that reaches `host` at the private `address:port` alone. Returns the port of its proxy."""
    reports = failure_pipe()
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            policy = EgressPolicy(hosts=((host,),), fixed={host: target})
            await client.attach(runner_id, listener.fileno(), reports[1], policy)
            port: int = listener.getsockname()[1]
            return port
    finally:
        for end in reports:
            os.close(end)


async def _start(module: str, flag: str, other: socket.socket) -> tuple[socket.socket, asyncio.subprocess.Process]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"pageworker_sandbox.{module}", "--channel-fd", str(theirs.fileno()), flag, str(other.fileno())),
            pass_fds=(theirs.fileno(), other.fileno()),
            env={**os.environ, "PYTHONPATH": str(SANDBOX)},
        )
    return ours, process


async def _read(client: GatewayClient) -> None:
    with suppress(GatewayLost):
        await client.run()
