"""The gateway's end and the dialer's, over a socket pair: answers, cancellation, and the end of either."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from pw_egress.origin import answering, serving

from pageworker_sandbox.dialer.client import DialerClient
from pageworker_sandbox.dialer.messages import FROM_GATEWAY, TO_GATEWAY
from pageworker_sandbox.dialer.server import DialServer
from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed

HERE = ip_address("127.0.0.1")


@dataclass
class DialerPair:
    """Both ends in one loop."""

    client: DialerClient
    server: asyncio.Task[None]
    stuck: threading.Event


@asynccontextmanager
async def pair(*targets: str) -> AsyncIterator[DialerPair]:
    ours, theirs = socket.socketpair()
    stuck = threading.Event()

    def look_up(name: str) -> list[Address]:
        if name == "slow.test":
            stuck.wait(10)
        if name == "shop.test":
            return [ip_address("93.184.216.34")]
        raise OSError("no such name")

    channel = Channel(theirs, outgoing=TO_GATEWAY, incoming=FROM_GATEWAY)
    client = DialerClient(ours)
    async with asyncio.TaskGroup() as tasks:
        server = tasks.create_task(DialServer(channel, parse_rules((80,), targets, ()), look_up).run())
        running = tasks.create_task(_until_closed(client))
        yield DialerPair(client, server, stuck)
        stuck.set()
        running.cancel()
        await asyncio.wait([server])
        channel.close()


async def _until_closed(client: DialerClient) -> None:
    try:
        await client.run()
    except* ChannelClosed:
        pass


async def test_a_connection_comes_as_a_socket_of_ones_own() -> None:
    async with serving(answering()) as origin, pair(f"127.0.0.1:{origin.port}") as both:
        connector = both.client.connector("r1")
        with await connector.connect(HERE, origin.port) as sock:
            assert sock.getpeername() == ("127.0.0.1", origin.port)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await loop.sock_recv(sock, 64)).startswith(b"HTTP/1.1 200")


async def test_what_the_rules_forbid_is_refused_with_the_reason() -> None:
    async with pair() as both:
        connector = both.client.connector("r1")
        with pytest.raises(EgressRefused, match="private_address"):
            await connector.connect(HERE, 80)
        with pytest.raises(EgressRefused, match="port_not_allowed"):
            await connector.connect(ip_address("93.184.216.34"), 22)


async def test_what_fails_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with pair(f"127.0.0.1:{port}") as both:
        connector = both.client.connector("r1")
        with pytest.raises(OSError, match=r"refused|111"):
            await connector.connect(HERE, port)
        with pytest.raises(OSError, match="no such name"):
            await connector.resolve("dead.test")


async def test_names_are_resolved_over_there() -> None:
    async with pair() as both:
        found = await both.client.connector("r1").resolve("shop.test")
        assert (found.addresses, found.local) == ((ip_address("93.184.216.34"),), False)


async def test_dead_names_of_one_runner_do_not_delay_another() -> None:
    async with pair() as both, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(both.client.connector("slow").resolve("slow.test")) for _ in range(20)]
        async with asyncio.timeout(5):
            await both.client.connector("quick").resolve("shop.test")
        for task in waiting:
            task.cancel()


async def test_descriptors_of_abandoned_connections_are_closed() -> None:
    async with serving(answering()) as origin, pair(f"127.0.0.1:{origin.port}") as both:
        connector = both.client.connector("r1")
        before = len(os.listdir("/proc/self/fd"))
        for delay in range(60):
            asked = asyncio.get_running_loop().create_task(connector.connect(HERE, origin.port))
            for _ in range(delay % 12):
                await asyncio.sleep(0)
            asked.cancel()
            for sock in await asyncio.gather(asked, return_exceptions=True):
                if isinstance(sock, socket.socket):
                    sock.close()
        async with asyncio.timeout(5):
            while len(os.listdir("/proc/self/fd")) > before + 2:
                (await connector.connect(HERE, origin.port)).close()


async def test_without_a_dialer_every_request_fails_at_once() -> None:
    async with pair() as both:
        waiting = asyncio.get_running_loop().create_task(both.client.connector("r1").resolve("slow.test"))
        await both.client.connector("r2").resolve("shop.test")
        both.client._channel.close()
        with pytest.raises(OSError, match="dialer has ended"):
            await waiting
        with pytest.raises(OSError, match="dialer has ended"):
            await both.client.connector("r1").connect(HERE, 80)
