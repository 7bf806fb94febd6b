"""The public Internet and nothing else."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.address import is_public, unmap

IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "168.63.129.17",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "193.0.0.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
    ],
)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(IPV4)
def test_never_more_than_the_standard_library_holds_global(address: IPv4Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_never_more_than_the_standard_library_holds_global_in_ipv6(address: IPv6Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@given(IPV4)
def test_an_address_in_another_is_judged_by_the_one_inside(address: IPv4Address) -> None:
    number = int(address)
    mapped = IPv6Address(0xFFFF << 32 | number)
    assert unmap(mapped) == address
    assert is_public(mapped) == is_public(address)
    assert is_public(IPv6Address(0x64FF9B << 96 | number)) == is_public(address)
    assert not is_public(IPv6Address(0x2002 << 112 | number << 80))


def test_a_zone_is_never_public() -> None:
    assert not is_public(IPv6Address("2606:4700::1111%eth0"))
