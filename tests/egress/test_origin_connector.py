"""Connecting to origins: the address that was checked, the next address, names that do not resolve."""

import asyncio
import socket
import threading
from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from pw_doubles import any_typed
from pw_egress.client import ask, get
from pw_egress.origin import answering, serving
from pw_egress.running_proxy import ALL, running, to

from pageworker_sandbox.dialer.connector import DirectConnector, Resolution
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable, UpstreamFailed
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.origin_connector import OriginConnector
from pageworker_sandbox.egress.policy import Route, UpstreamProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_tls import client_context


class ScriptedConnector:
    """Resolves to what the test says, refuses every connection, and records both."""

    def __init__(self, names: Mapping[str, Resolution]) -> None:
        self.names = dict(names)
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.reported: list[tuple[Target, Address]] = []
        """The connections that the runner is told of."""
        self.working: set[str] = set()
        """Addresses that take a connection."""
        self._ends: list[socket.socket] = []

    async def resolve(self, name: str) -> Resolution:
        self.resolved.append(name)
        if name not in self.names:
            raise OSError("no such name")
        return self.names[name]

    async def connect(self, address: Address, port: int) -> socket.socket:
        self.connected.append((str(address), port))
        if str(address) not in self.working:
            raise OSError("refused")
        ours, theirs = socket.socketpair()
        self._ends.append(theirs)
        return ours

    def close(self) -> None:
        for end in self._ends:
            end.close()


def resolution(*addresses: str, local: bool = False) -> Resolution:
    return Resolution(tuple(ip_address(address) for address in addresses), local)


def route(host: str) -> Route:
    return Route(Target(host, 80), None, None)


def connector(names: Mapping[str, Resolution]) -> tuple[OriginConnector, ScriptedConnector]:
    scripted = ScriptedConnector(names)
    upstreams = UpstreamConnector(scripted, client_context(""), EgressLimits())
    on_connected = scripted.reported.append
    return (
        OriginConnector(EgressLimits(), Meter(), scripted, upstreams, lambda *given: on_connected(given)),
        scripted,
    )


async def test_every_address_is_tried_in_order() -> None:
    origins, scripted = connector({"shop.test.": resolution("93.184.216.34", "2606:4700::1111")})
    with pytest.raises(TargetUnreachable, match="connect_failed"):
        await origins.connect(route("shop.test"), 5.0, 5.0, tunnel=False)
    assert scripted.connected == [("93.184.216.34", 80), ("2606:4700::1111", 80)]


async def test_the_runner_is_told_which_public_address_took_the_connection() -> None:
    origins, scripted = connector({"shop.test.": resolution("93.184.216.34", "2606:4700::1111")})
    scripted.working.add("2606:4700::1111")
    stream = await origins.connect(route("shop.test"), 5.0, 5.0, tunnel=False)
    assert scripted.reported == [(Target("shop.test", 80), ip_address("2606:4700::1111"))]
    stream.abort("the test is over")
    origins.close()


async def test_the_runner_is_not_told_where_a_fixed_host_or_a_proxy_is() -> None:
    origins, scripted = connector({})
    scripted.working.add("10.0.0.1")
    inner = ip_address("10.0.0.1")
    proxy = UpstreamProxy("http", Target("10.0.0.1", 3128, inner), None, None, True)
    for way in (Route(Target("shop.test", 80), (inner, 8080), None), Route(Target("shop.test", 80), None, proxy)):
        stream = await origins.connect(way, 5.0, 5.0, tunnel=False)
        stream.abort("the test is over")
    assert [port for _, port in scripted.connected] == [8080, 3128]
    assert scripted.reported == []
    origins.close()


@pytest.mark.parametrize(
    "found",
    [resolution("93.184.216.34", "10.0.0.1"), resolution("::ffff:127.0.0.1"), resolution("93.184.216.34", local=True)],
)
async def test_one_address_that_is_not_public_refuses_the_name_before_any_connection(found: Resolution) -> None:
    origins, scripted = connector({"shop.test.": found})
    with pytest.raises(EgressRefused, match="private_address"):
        await origins.connect(route("shop.test"), 5.0, 5.0, tunnel=False)
    assert scripted.connected == []


async def test_names_are_resolved_as_absolute_ones_and_remembered() -> None:
    origins, scripted = connector({"shop.test.": resolution("93.184.216.34")})
    for _ in range(3):
        with pytest.raises(TargetUnreachable):
            await origins.connect(route("shop.test"), 5.0, 5.0, tunnel=False)
    assert scripted.resolved == ["shop.test."]


async def test_what_a_lookup_takes_is_not_given_to_the_proxy_again() -> None:
    origins, scripted = connector({"shop.test.": resolution("93.184.216.34")})
    proxy = UpstreamProxy("http", Target("10.0.0.1", 3128, ip_address("10.0.0.1")), None, None, False)

    async def silent(address: Address, port: int) -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    any_typed(scripted).connect = silent
    async with asyncio.timeout(10):
        with pytest.raises(UpstreamFailed, match="timed_out") as caught:
            await origins.connect(Route(Target("shop.test", 80), None, proxy), 0.2, 3600.0, tunnel=False)
    assert caught.value.doubtful, "so little time says nothing of the proxy"


async def test_a_name_without_addresses_is_unreachable() -> None:
    origins, _ = connector({})
    with pytest.raises(TargetUnreachable, match="name_not_resolved"):
        await origins.connect(route("shop.test"), 5.0, 5.0, tunnel=False)


async def test_dead_names_of_one_runner_do_not_hold_up_another() -> None:
    free = threading.Event()

    async with (
        serving(answering()) as origin,
        running(to(origin.port)) as other,
        running(EgressPolicy(hosts=ALL, connect_seconds=0.2)) as proxy,
    ):

        def stuck(host: str) -> list[Address]:
            free.wait(10)
            raise OSError("at last")

        connector = proxy.runner_proxy._enforcer._origins._connector
        assert isinstance(connector, DirectConnector)
        connector._look_up = stuck
        answers = asyncio.gather(*(ask(proxy.port, get(f"http://h{n}.test/")) for n in range(20)))
        try:
            assert (await ask(other.port, get("http://shop.test/"))).status == 200
            assert {answer.egress for answer in await answers} == {"connect_timeout"}
        finally:
            free.set()
