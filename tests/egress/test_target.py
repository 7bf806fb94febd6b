"""Hostile host names: whatever anyone could read as an address is read as one, everything odd is refused."""

import socket
import string
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pageworker_sandbox.egress.errors import MalformedTarget
from pageworker_sandbox.egress.target import Target, parse_authority, parse_url, requested_authority


def _notations(number: int) -> list[str]:
    parts = [number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255]
    a, b, c, d = parts
    return [
        f"{a}.{b}.{c}.{d}",
        f"{number}",
        f"0x{number:x}",
        f"0X{number:08X}",
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"0x{a:x}.0{b:o}.{c}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}.",
        f"[::ffff:{a}.{b}.{c}.{d}]",
        f"[0:0:0:0:0:FFFF:{number >> 16:x}:{number & 0xFFFF:x}]",
    ]


@given(st.integers(0, 2**32 - 1))
@example(0)
@example(int(IPv4Address("169.254.169.254")))
def test_every_notation_of_an_ipv4_address_is_that_address(number: int) -> None:
    address = IPv4Address(number)
    for text in _notations(number):
        assert parse_authority(f"{text}:80".encode()) == Target(str(address), 80, address)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_ipv6_literals(address: IPv6Address) -> None:
    target = parse_authority(f"[{address.exploded}]:443".encode())
    assert target.address == (address.ipv4_mapped or address)
    assert target.authority == (f"[{address}]:443" if address.ipv4_mapped is None else f"{address.ipv4_mapped}:443")


@given(st.text("0123456789abcxX.", min_size=1, max_size=20))
def test_what_inet_aton_reads_as_an_address_is_never_a_name(text: str) -> None:
    try:
        target = parse_authority(f"{text}:80".encode())
    except MalformedTarget:
        return
    try:
        address = ip_address(socket.inet_aton(target.host))
    except OSError:
        assert target.address is None
    else:
        assert target.address == address


@given(st.binary(max_size=40))
def test_any_bytes_give_a_canonical_host_or_an_error(untrusted: bytes) -> None:
    try:
        target = parse_authority(untrusted, 80)
    except MalformedTarget:
        return
    assert 0 < target.port < 65536
    assert set(target.host) <= set(string.ascii_lowercase + string.digits + ".-_:")
    assert parse_authority(target.authority.encode()) == target


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        (b"http://shop.example", "shop.example", 80, b"/"),
        (b"HTTP://SHOP.Example./x", "shop.example", 80, b"/x"),
        (b"http://shop.example:8080?a=b#c", "shop.example", 8080, b"/?a=b"),
        (b"http://shop.example:/", "shop.example", 80, b"/"),
        (b"http://xn--mnchen-3ya.example/@b:1", "xn--mnchen-3ya.example", 80, b"/@b:1"),
        (b"http://a_b.example/http://c.example/", "a_b.example", 80, b"/http://c.example/"),
        (b"http://0/", "0.0.0.0", 80, b"/"),
        (b"http://127.1/", "127.0.0.1", 80, b"/"),
        (b"http://0x/", "0.0.0.0", 80, b"/"),
        (b"http://[::]/", "::", 80, b"/"),
    ],
)
def test_urls(url: bytes, host: str, port: int, path: bytes) -> None:
    target, origin_form = parse_url(url)
    assert (target.host, target.port, origin_form) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        b"https://shop.example/",
        b"ftp://shop.example/",
        b"/relative",
        b"*",
        b"http:/shop.example",
        b"http:///x",
        b"http://user@shop.example/",
        b"http://good.example:80@127.0.0.1/",
        b"http://good.example\\@127.0.0.1/",
        b"http://good.example%00.evil.example/",
        b"http://127.0.0.1%2f/",
        b"http://sh\xf6p.example/",
        b"http://a..b/",
        b"http://.a/",
        b"http://a.example../",
        b"http://a b/",
        b"http://a.example:0/",
        b"http://a.example:65536/",
        b"http://a.example:+80/",
        b"http://a.example:80:80/",
        b"http://a.example:8O/",
        b"http://[::1/",
        b"http://[fe80::1%25eth0]/",
        b"http://[fe80::1%eth0]/",
        b"http://[127.0.0.1]/",
        b"http://1.2.3.4.5/",
        b"http://256.1.1.1/",
        b"http://1.2.3.256/",
        b"http://4294967296/",
        b"http://09.1.1.1/",
        b"http://a.0x7f/",
        b"http://a.1/",
        b"http://" + b"a" * 64 + b".example/",
        b"http://" + b"a." * 130 + b"example/",
    ],
)
def test_what_is_no_target(url: bytes) -> None:
    with pytest.raises(MalformedTarget):
        parse_url(url)


def test_connect_needs_a_port() -> None:
    for untrusted in (b"shop.example", b"shop.example:", b"http://shop.example:80", b"shop.example:443/"):
        with pytest.raises(MalformedTarget):
            parse_authority(untrusted)


@pytest.mark.parametrize(
    ("method", "target", "authority"),
    [
        (b"CONNECT", b"shop.example:443", "shop.example:443"),
        (b"CONNECT", b"[2001:db8::1]:443", "[2001:db8::1]:443"),
        (b"GET", b"http://shop.example/a@b?c#d", "shop.example:80"),
        (b"GET", b"HTTP://shop.example:8080", "shop.example:8080"),
        (b"GET", b"http://[::ffff:a9fe:a9fe]?x", "[::ffff:a9fe:a9fe]:80"),
        (b"GET", b"http://a!b.example/", "a!b.example:80"),
        (b"GET", b"http://user@shop.example/", ""),
        (b"GET", b"http://a b/", ""),
        (b"GET", b"http://a\n/", ""),
        (b"GET", b"http://" + b"a" * 256 + b"/", ""),
        (b"GET", b"/", ""),
        (b"", b"", ""),
    ],
)
def test_the_authority_that_is_reported_is_the_one_that_was_asked_for(
    method: bytes, target: bytes, authority: str
) -> None:
    assert requested_authority(method, target) == authority
