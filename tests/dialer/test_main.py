"""The dialer process: rules that replace the first ones, while it serves."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

from pageworker_sandbox.dialer.client import DialerClient
from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, DialRules, RulesAccepted, RulesRefused
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused
from pageworker_sandbox.wire.channel import Channel

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"


@asynccontextmanager
async def dialer() -> AsyncIterator[tuple[Channel, DialerClient]]:
    """The process, by the supervisor's end and the gateway's end of its channels."""
    ours, theirs = socket.socketpair()
    gateway, for_gateway = socket.socketpair()
    with theirs, for_gateway:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pageworker_sandbox.dialer"),
            *("--channel-fd", str(theirs.fileno()), "--gateway-fd", str(for_gateway.fileno())),
            pass_fds=(theirs.fileno(), for_gateway.fileno()),
            env={"PYTHONPATH": str(SANDBOX)},
        )
    client = DialerClient(gateway)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(client.run())
        yield Channel(ours, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR), client
        running.cancel()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    ours.close()


async def tried(client: DialerClient, address: Address, port: int) -> str:
    """`connected`, or why not."""
    try:
        (await client.connector("r").connect(address, port)).close()
    except (EgressRefused, OSError) as error:
        return str(error)
    return "connected"


async def accepted(channel: Channel, rules: DialRules) -> int:
    await channel.send(rules)
    answer, _ = await channel.receive()
    assert isinstance(answer, RulesAccepted)
    return answer.number


async def test_rules_are_replaced_while_the_dialer_serves() -> None:
    here = ip_address("127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        one, two = first.getsockname()[1], second.getsockname()[1]
        async with asyncio.timeout(30), dialer() as (channel, client):
            rules = DialRules(ports=(80,), targets=(f"127.0.0.1:{one}",), proxy_ports=(two,))
            assert await accepted(channel, rules) == 0
            assert await tried(client, here, one) == "connected"
            assert await tried(client, here, two) == "private_address"
            assert await accepted(channel, DialRules(ports=(80,), targets=(f"127.0.0.1:{two}",), number=7)) == 7
            assert await tried(client, here, two) == "connected"
            assert await tried(client, here, one) == "private_address"
            for target in ("a~b:3128", "[fe80::1%eth0]:3128", "a" * 70 + ":3128"):
                await channel.send(DialRules(ports=(80,), targets=(f"127.0.0.1:{one}", target), number=8))
                answer, _ = await channel.receive()
                assert isinstance(answer, RulesRefused)
                assert answer.number == 8
                assert answer.error
            assert await tried(client, here, two) == "connected", "the old rules stay"
            assert await tried(client, here, one) == "private_address"
            assert await accepted(channel, rules) == 0
