"""Gateway and dialer, really started: which namespaces they share with the host."""

import asyncio
from dataclasses import replace

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.dialer.messages import DialRules
from pageworker_sandbox.egress.errors import InvalidRules
from pageworker_sandbox.launch import GatewayUsers, Host, LaunchFailed, gateway, launch_gateway, procfs
from pageworker_sandbox.launch.cgroup import CPU_WEIGHT
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


async def test_no_gateway_starts_if_its_dialer_lacks_a_required_right(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rules_without_landlock(*_: object) -> bool:
        return False

    monkeypatch.setattr(gateway, "_send_rules", rules_without_landlock)
    users = GatewayUsers(*(None if sandboxes.UID is None else sandboxes.UID + number for number in (82, 83)))
    with pytest.raises(LaunchFailed, match=r"landlock\.net is missing in the dialer"):
        await launch_gateway(replace(host, required=frozenset({"landlock.net"})), users, DialRules(ports=(80,)))


def test_only_the_dialer_shares_the_network_and_each_gets_the_other_ends_descriptor(host: Host) -> None:
    inner, dialer = gateway_program(host, None, 7), dialer_program(host, None, 8)
    assert (inner.network, dialer.network) == (False, True)
    assert (inner.passed, dialer.passed) == ({"--dialer-fd": 7}, {"--gateway-fd": 8})
    assert gateway_program(host, None, 7, 9).passed == {"--dialer-fd": 7, "--ca-fd": 9}
    assert inner.cpu_weight == dialer.cpu_weight == 10 * CPU_WEIGHT
    assert (inner.policy, dialer.policy) == ("gateway", "dialer")
