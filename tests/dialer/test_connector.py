"""Resolving and connecting by the dialer itself: rules first, then the kernel."""

import socket
from ipaddress import ip_address

import pytest

from pageworker_sandbox.dialer.connector import DirectConnector, is_local, look_up
from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused

HERE = ip_address("127.0.0.1")


def names(host: str) -> list[Address]:
    return {"inner.test": [ip_address("10.1.2.3")], "here.test": [HERE]}[host.removesuffix(".")]


async def test_rules_are_asked_before_anything_is_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.setblocking(False)
        connector = DirectConnector(parse_rules((80,), (), ()), names)
        with pytest.raises(EgressRefused, match="private_address"):
            await connector.connect(HERE, port)
        with pytest.raises(BlockingIOError):
            server.accept()
        permitted = DirectConnector(parse_rules((80,), (f"127.0.0.1:{port}",), ()), names)
        with await permitted.connect(HERE, port) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
            assert not sock.getblocking()


async def test_an_address_of_this_host_is_told_with_the_name() -> None:
    connector = DirectConnector(parse_rules((80,), (), ()), names)
    assert (await connector.resolve("here.test.")).local
    assert not (await connector.resolve("inner.test.")).local


async def test_a_name_of_the_rules_opens_the_addresses_that_it_resolves_to() -> None:
    rules = parse_rules((80,), ("inner.test:3128",), ())
    connector = DirectConnector(rules, names)
    assert rules.refusal(ip_address("10.1.2.3"), 3128, local=False) == "private_address"
    await connector.resolve("inner.test.")
    assert rules.refusal(ip_address("10.1.2.3"), 3128, local=False) is None


async def test_a_closed_connector_looks_nothing_up() -> None:
    connector = DirectConnector(parse_rules((80,), (), ()), names)
    connector.close()
    with pytest.raises(RuntimeError):
        await connector.resolve("here.test.")


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_loopback_and_unspecified_addresses_are_this_host(text: str) -> None:
    assert is_local(ip_address(text))


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
def test_an_address_elsewhere_is_not(text: str) -> None:
    assert not is_local(ip_address(text))


def test_the_system_resolver_is_asked() -> None:
    assert HERE in look_up("localhost")
    with pytest.raises(OSError, match=r".+"):
        look_up("no-such-name.invalid.")
