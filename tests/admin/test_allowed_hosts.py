"""Which Host headers are answered."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.admin.allowed_hosts import answered_hosts, host_allowed
from pageworker_supervisor.config.settings import HttpSettings


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_every_ipv4_address_is_answered(address: ipaddress.IPv4Address, port: int) -> None:
    assert host_allowed(str(address), ())
    assert host_allowed(f"{address}:{port}", ())


@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_every_ipv6_address_is_answered(address: ipaddress.IPv6Address, port: int) -> None:
    assert host_allowed(f"[{address}]", ())
    assert host_allowed(f"[{address}]:{port}", ())


@given(st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9-]{0,20}){1,3}", fullmatch=True), st.integers(0, 65535))
def test_no_other_name_is(name: str, port: int) -> None:
    assert not host_allowed(name, ())
    assert not host_allowed(f"{name}:{port}", ("other.example", "*.other.example"))
    assert host_allowed(f"{name}:{port}", (name,))
    assert host_allowed(f"{name.upper()}.:{port}", (name,))


@given(st.text(max_size=30))
def test_whatever_is_sent_is_decided(header: str) -> None:
    assert host_allowed(header, ()) in (True, False)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "evil.example#127.0.0.1",
        "localhost:",
        "localhost:x",
        "localhost:80:80",
        "[::1",
        "[evil.example]",
        "::1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "[127.0.0.1]",
        "..",
        "\u0661\u0662\u0667.0.0.1",
        "a.svc.example",
        "svc.example",
        "xsvc.example",
    ],
)
def test_what_only_looks_like_one_is_not_answered(header: str) -> None:
    assert not host_allowed(header, ("b.example", "*.sub.svc.example"))


def test_what_an_operator_names_is_answered() -> None:
    allowed = answered_hosts(HttpSettings(bind="worker-1:9470", allowed_hosts=("*.svc.example", "Pw.Example")))
    for header in ("worker-1:9470", "a.svc.example", "a.b.svc.example:80", "pw.example", "localhost:9470", "LOCALHOST"):
        assert host_allowed(header, allowed), header
    assert not host_allowed("svc.example", allowed), "the star stands for a name, not for none"
    assert host_allowed(None, allowed), "HTTP/1.0, as simple probes speak it"
