"""Decisions of a policy, and configurations it can not be made from."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress import policy as policy_module
from pageworker_sandbox.egress.errors import InvalidPolicy, MalformedTarget
from pageworker_sandbox.egress.messages import EgressPolicy, Upstream
from pageworker_sandbox.egress.policy import CompiledPolicy, Route, Routes, check
from pageworker_sandbox.egress.target import Target, parse_authority
from pageworker_sandbox.egress.upstream_order import preferred

ALL = (("*",),)


def _decide(policy: EgressPolicy, authority: str) -> object:
    return CompiledPolicy(policy).decide(parse_authority(authority.encode()))


@pytest.mark.parametrize(
    ("hosts", "authority", "allowed"),
    [
        ((), "a.example:80", False),
        (((),), "a.example:80", False),
        (ALL, "a.example:80", True),
        ((("*.example",),), "a.b.example:80", True),
        ((("*.example",),), "example:80", False),
        ((("*.example",),), "evil-example:80", False),
        ((("*.example", "example"),), "example:80", True),
        ((("SHOP.Example.",),), "shop.example:443", True),
        ((("shop.example",),), "shop.example.evil:443", False),
        ((("cdn-*.example",),), "cdn-.example:80", True),
        ((("cdn-*.example",),), "cdn.example:80", False),
        ((("ab*ba",),), "aba:80", False),
        ((("?.q.test",),), "a.q.test:80", True),
        ((("?.q.test",),), "ab.q.test:80", False),
        ((("*-?.q.*",),), "shop-1.q.test:80", True),
        ((("*",), ("shop.example",)), "shop.example:80", True),
        ((("*",), ("shop.example",)), "other.example:80", False),
        ((("*",), ()), "shop.example:80", False),
        ((("8.8.*",),), "134744072:80", True),
        ((("shop.example",),), "8.8.8.8:80", False),
    ],
)
def test_a_host_matches_one_glob_of_every_list(
    hosts: tuple[tuple[str, ...], ...], authority: str, allowed: bool
) -> None:
    decision = _decide(EgressPolicy(hosts=hosts), authority)
    assert isinstance(decision, tuple) if allowed else decision == "host_not_allowed"


@given(st.text("ab.*?", min_size=1, max_size=8), st.text("ab.", min_size=1, max_size=8))
def test_globs_mean_what_the_regular_expression_means(glob: str, host: str) -> None:
    try:
        target = parse_authority(f"{host}:80".encode())
    except MalformedTarget:
        return
    meant = re.fullmatch(re.escape(glob.removesuffix(".")).replace(r"\*", ".*").replace(r"\?", "."), target.host)
    assert isinstance(CompiledPolicy(EgressPolicy(hosts=((glob,),))).decide(target), tuple) == bool(meant)


@pytest.mark.parametrize("part", ["*a", "*?"])
def test_a_glob_of_stars_takes_no_exponential_time(part: str) -> None:
    glob = part * 80 + "*b"
    assert (
        _decide(EgressPolicy(hosts=((glob,),)), "a" * 60 + "." + "a" * 60 + "." + "a" * 60 + ":80")
        == "host_not_allowed"
    )


@pytest.mark.parametrize(
    ("authority", "reason"),
    [
        ("shop.example:22", "port_not_allowed"),
        ("169.254.169.254:80", "private_address"),
        ("2852039166:80", "private_address"),
        ("0xa9.0376.43518:80", "private_address"),
        ("[::ffff:a9fe:a9fe]:80", "private_address"),
        ("[64:ff9b::a9fe:a9fe]:80", "private_address"),
        ("[::1]:80", "private_address"),
        ("0:80", "private_address"),
        ("127.1:443", "private_address"),
        ("localhost:80", "private_address"),
        ("LOCALHOST.:80", "private_address"),
        ("a.localhost:80", "private_address"),
    ],
)
def test_refused_before_any_lookup(authority: str, reason: str) -> None:
    assert _decide(EgressPolicy(hosts=ALL), authority) == reason


@pytest.mark.parametrize(
    ("hosts", "authority", "reason"),
    [
        ((("other",),), "169.254.169.254:22", "port_not_allowed"),
        ((("other",),), "169.254.169.254:80", "host_not_allowed"),
        (ALL, "169.254.169.254:80", "private_address"),
    ],
)
def test_the_first_rule_that_a_request_breaks_is_its_reason(
    hosts: tuple[tuple[str, ...], ...], authority: str, reason: str
) -> None:
    assert _decide(EgressPolicy(hosts=hosts), authority) == reason


def test_fixed_addresses_may_be_private_by_their_name_only() -> None:
    policy = EgressPolicy(
        hosts=ALL,
        ports=(80, 443),
        fixed={"Shop.Demo.": "127.0.0.1:4321", "six.demo": "[::1]:99", "plain.demo": "10.0.0.1", "v6.demo": "fd00::1"},
        upstreams=(Upstream(url="http://proxy:1"),),
    )
    for authority, address, port in (
        ("shop.demo:80", "127.0.0.1", 4321),
        ("six.demo:443", "::1", 99),
        ("plain.demo:443", "10.0.0.1", 443),
        ("v6.demo:80", "fd00::1", 80),
    ):
        decision = _decide(policy, authority)
        assert decision == (Route(parse_authority(authority.encode()), (ip_address(address), port), None),)
    assert _decide(policy, "shop.demo:8080") == "port_not_allowed"
    assert _decide(policy, "127.0.0.1:80") == "private_address"
    listed = EgressPolicy(hosts=(("other",),), fixed=policy.fixed)
    assert _decide(listed, "shop.demo:80") == "host_not_allowed"


def test_one_private_address_refuses_a_name() -> None:
    public, private = ip_address("8.8.8.8"), ip_address("10.0.0.1")
    assert check([public, public]) is None
    assert check([public, private]) == "private_address"


@pytest.mark.parametrize("text", ["shop.example", "1.2.3", "1.2.3.4:", "1.2.3.4:99999", "[::1", "", "http://1.2.3.4"])
def test_fixed_addresses_are_addresses(text: str) -> None:
    with pytest.raises(InvalidPolicy, match=r"shop\.demo"):
        CompiledPolicy(EgressPolicy(fixed={"shop.demo": text}))


@pytest.mark.parametrize(
    "url", ["", "proxy:3128", "ftp://proxy", "http://", "http://u:p@proxy:1", "http://proxy/x", "http://proxy:x"]
)
def test_upstreams_are_proxies(url: str) -> None:
    with pytest.raises(InvalidPolicy, match="upstream"):
        CompiledPolicy(EgressPolicy(upstreams=(Upstream(url=url),)))


def test_an_order_by_host_is_computed_once_and_kept_for_some_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    upstreams = tuple(Upstream(url=f"http://p{number}.test:3128") for number in range(4))
    policy = EgressPolicy(hosts=ALL, upstreams=upstreams, order="host", salt="acme", without_upstream="direct")
    compiled = CompiledPolicy(policy)
    assert {proxy.url for proxy in compiled.proxies} == {upstream.url for upstream in upstreams}
    monkeypatch.setattr(policy_module, "_parse_upstream", None)
    computed: list[str] = []

    def counted(upstreams: Iterable[Upstream], *key: str) -> tuple[Upstream, ...]:
        computed.append(key[-1])
        return preferred(upstreams, *key)

    monkeypatch.setattr(policy_module, "preferred", counted)
    monkeypatch.setattr(policy_module, "REMEMBERED_HOSTS", 8)
    for number in (*range(6), *range(6), *range(30)):
        host = f"h{number}.test"
        # The policy allows these hosts, so it does not refuse.
        routes = cast(Routes, compiled.decide(Target(host, 80)))
        urls = [route.proxy.url if route.proxy else None for route in routes]
        assert urls == [*(upstream.url for upstream in preferred(upstreams, "acme", host)), None]
    assert computed[:6] == [f"h{number}.test" for number in range(6)]
    assert len(computed) == 30, "those that are kept are not computed again"
    assert len(compiled._orders) <= 8
