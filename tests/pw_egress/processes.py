"""The gateway as the supervisor starts it: a process of its own, spoken with over a socket pair."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pageworker_sandbox.egress.client import Gateway, GatewayLost, connect

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[Gateway, asyncio.subprocess.Process]]:
    """A running gateway and its process, which ends with the channel."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pageworker_sandbox.egress", "--channel-fd", str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONPATH": str(SANDBOX)},
        )
    client = connect(ours)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_read(client))
        yield client, process
        reading.cancel()
    ours.close()
    async with asyncio.timeout(10):
        await process.wait()


async def _read(client: Gateway) -> None:
    try:
        await client.run()
    except GatewayLost:
        return
