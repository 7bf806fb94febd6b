"""Gateway and dialer, really started: which namespaces they share with the host."""

import asyncio

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.dialer.messages import DialRules
from pageworker_sandbox.egress.errors import InvalidRules
from pageworker_sandbox.launch import GatewayUsers, Host, launch_gateway, procfs
from pageworker_sandbox.launch.gateway import dialer_program, gateway_program

pytestmark = pytest.mark.sandbox


async def test_the_gateway_has_no_network_and_its_dialer_little_else(host: Host) -> None:
    users = GatewayUsers(*(None if sandboxes.UID is None else sandboxes.UID + number for number in (80, 81)))
    processes = await launch_gateway(host, users, DialRules(ports=(80, 443)))
    try:
        proof = await processes.proof()
        ours = procfs.namespaces("self")
        assert not {name for name, inode in ours.items() if proof[f"ns_{name}"] == inode}
        assert {name for name, inode in ours.items() if proof[f"dialer_ns_{name}"] == inode} == {"net"}
        assert proof["dialer_landlock_ports"] == str(landlock.abi() >= landlock.NET_ABI).lower()
        async with asyncio.timeout(10):
            for ports in ((80,), (443,)):
                await processes.set_rules(DialRules(ports=ports))
            with pytest.raises(InvalidRules, match="host"):
                await processes.set_rules(DialRules(ports=(80,), targets=("a~b:80",)))
    finally:
        processes.channel.close()
        status = await processes.wait()
    assert (status.code, processes.stderr) == (0, "")


def test_only_the_dialer_shares_the_network_and_each_gets_the_other_ends_descriptor(host: Host) -> None:
    gateway, dialer = gateway_program(host, None, 7), dialer_program(host, None, 8)
    assert (gateway.network, dialer.network) == (False, True)
    assert (gateway.passed, dialer.passed) == ({"--dialer-fd": 7}, {"--gateway-fd": 8})
    assert gateway_program(host, None, 7, 9).passed == {"--dialer-fd": 7, "--ca-fd": 9}
    assert (gateway.policy, dialer.policy) == ("gateway", "dialer")
