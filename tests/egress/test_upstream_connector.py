"""Connecting to upstream proxies: lookups of their names are shared, and forgotten where the dialer refuses."""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from pageworker_sandbox.dialer.connector import Resolution
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused, UpstreamFailed
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_tls import client_context

PROXY = UpstreamProxy("http", Target("proxy.test", 3128), None, None, False)


class WaitingConnector:
    """Resolves when the test says so, and refuses every connection."""

    def __init__(self) -> None:
        self.lookups = 0
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.fails: OSError | None = None
        self.refuses: EgressRefused | None = None

    async def resolve(self, name: str) -> Resolution:
        self.lookups += 1
        self.begun.set()
        await self.free.wait()
        if self.fails is not None:
            raise self.fails
        return Resolution((ip_address("93.184.216.34"),), local=False)

    async def connect(self, address: Address, port: int) -> socket.socket:
        raise self.refuses or ConnectionRefusedError(111, "refused")

    def close(self) -> None:
        return


async def fault(upstreams: UpstreamConnector, connector: WaitingConnector) -> str:
    with pytest.raises(UpstreamFailed) as caught:
        await upstreams.connect(PROXY, connector, None)
    return caught.value.fault


async def test_all_requests_wait_for_one_lookup_and_none_can_end_it() -> None:
    connector = WaitingConnector()
    upstreams = UpstreamConnector(connector, client_context(""), EgressLimits())
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        first = tasks.create_task(upstreams.connect(PROXY, connector, None))
        await connector.begun.wait()
        others = [tasks.create_task(fault(upstreams, connector)) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        connector.free.set()
    assert [task.result() for task in others] == ["refused"] * 20
    assert await fault(upstreams, connector) == "refused"
    assert connector.lookups == 1


async def test_a_lookup_that_fails_is_made_again() -> None:
    connector = WaitingConnector()
    upstreams = UpstreamConnector(connector, client_context(""), EgressLimits())
    connector.free.set()
    connector.fails = OSError("no such name")
    assert await asyncio.gather(*(fault(upstreams, connector) for _ in range(3))) == ["name_not_resolved"] * 3
    connector.fails = None
    assert await fault(upstreams, connector) == "refused"
    assert connector.lookups == 2


async def test_a_proxy_that_the_dialer_refuses_is_resolved_again() -> None:
    connector = WaitingConnector()
    upstreams = UpstreamConnector(connector, client_context(""), EgressLimits())
    connector.free.set()
    connector.refuses = EgressRefused("private_address")
    assert await fault(upstreams, connector) == "private_address"
    connector.refuses = None
    assert await fault(upstreams, connector) == "refused"
    assert connector.lookups == 2, "by the lookup, the dialer learns the addresses of its rules' names"
