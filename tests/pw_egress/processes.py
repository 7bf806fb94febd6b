"""The gateway and its dialer as the supervisor starts them: processes of their own, without their sandboxes."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile

from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, DialRules
from pageworker_sandbox.egress.client import GatewayClient, GatewayLost, PermitNews, connect
from pageworker_sandbox.egress.messages import AccessRecord, EgressPolicy
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.request_failure import failure_pipe

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"


@asynccontextmanager
async def gateway(
    *targets: str,
    on_access: Callable[[AccessRecord], None] = lambda _: None,
    on_permit: Callable[[PermitNews], None] = lambda _: None,
    authorities: str = "",
) -> AsyncIterator[tuple[GatewayClient, asyncio.subprocess.Process]]:
    """A running gateway and its process, which ends with the channel. `targets`: private ones that may be dialled.

    `on_access` gets the records for the access log, `on_permit` what needs a permit.
    `authorities`: PEM certificates for `https://` upstream proxies.
    """
    for_gateway, for_dialer = socket.socketpair()
    with for_gateway, for_dialer:
        to_dialer, dialer = await _start("dialer", "--gateway-fd", for_dialer)
        with TemporaryFile() as ca:
            ca.write(authorities.encode())
            ca.seek(0)
            ours, process = await _start("egress", "--dialer-fd", for_gateway, {"--ca-fd": ca.fileno()})
    channel = Channel(to_dialer, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR)
    await channel.send(DialRules(ports=(80, 443), targets=targets))
    await channel.receive()
    client = connect(ours, on_access, on_permit)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_read(client))
        yield client, process
        reading.cancel()
    ours.close()
    async with asyncio.timeout(10):
        await process.wait()
        assert await dialer.wait() == 0
    channel.close()


async def attach(client: GatewayClient, runner_id: str, listener: socket.socket | int, policy: EgressPolicy) -> None:
    """Attach a runner that reads none of its failures."""
    number = listener if isinstance(listener, int) else listener.fileno()
    read, write = failure_pipe()
    try:
        await client.attach(runner_id, number, write, policy)
    finally:
        os.close(read)
        os.close(write)


async def _start(
    module: str, flag: str, other: socket.socket, more: Mapping[str, int] | None = None
) -> tuple[socket.socket, asyncio.subprocess.Process]:
    """Our end of its channel, and the process."""
    passed = {flag: other.fileno(), **(more or {})}
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"pageworker_sandbox.{module}", "--channel-fd", str(theirs.fileno())),
            *(word for name, number in passed.items() for word in (name, str(number))),
            pass_fds=(theirs.fileno(), *passed.values()),
            env={**os.environ, "PYTHONPATH": str(SANDBOX)},
        )
    return ours, process


async def _read(client: GatewayClient) -> None:
    try:
        await client.run()
    except GatewayLost:
        return
