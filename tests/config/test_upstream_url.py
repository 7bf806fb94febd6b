"""The URLs of upstream proxies."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.messages import EgressPolicy, Upstream
from pageworker_sandbox.egress.policy import CompiledPolicy, Routes
from pageworker_sandbox.egress.target import Target
from pageworker_supervisor.config.upstream_url import UpstreamUrl, UpstreamUrlInvalid, parse_upstream


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("http://P1.Example:3128", UpstreamUrl("http", "p1.example", 3128)),
        ("https://p1.example.:443/", UpstreamUrl("https", "p1.example", 443)),
        ("socks5://10.0.0.1:1080", UpstreamUrl("socks5", "10.0.0.1", 1080)),
        ("socks5://[fd00::1]:1080", UpstreamUrl("socks5", "fd00::1", 1080)),
        ("socks5://[2001:DB8:0:0::1]:1080", UpstreamUrl("socks5", "2001:db8::1", 1080)),
        ("http://[::ffff:10.0.0.1]:3128", UpstreamUrl("http", "10.0.0.1", 3128)),
        ("http://m\u00fcnchen.test:3128", UpstreamUrl("http", "xn--mnchen-3ya.test", 3128)),
    ],
)
def test_an_upstream_has_one_spelling(text: str, upstream: UpstreamUrl) -> None:
    assert parse_upstream(text) == upstream
    assert parse_upstream(str(upstream)) == upstream


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ftp://p.test:21", "socks5://host:port"),
        ("socks5h://p.test:1080", "`resolve` says who resolves names"),
        ("p.test:3128", "socks5://host:port"),
        ("http://p.test", "the port is missing"),
        ("http://:3128", "the host is missing"),
        ("http://p.test:0", "the port is missing"),
        ("http://p.test:99999", "socks5://host:port"),
        ("http://p.test:3128/path", "leave out what follows the port"),
        ("http://p.test:3128?a=b", "leave out what follows the port"),
        ("http://ada:hunter2@p.test:3128", "store them as a secret"),
        ("http://hunter2@p.test:3128", "store them as a secret"),
        ("http://[fd00::1:3128", "socks5://host:port"),
        ("http://a_b c.test:3128", "http://host:port"),
        ("http://a~b:3128", "host"),
        ("http://a!b.c:3128", "host"),
        ("http://a$b:3128", "host"),
        ("http://a.b" + "c" * 70 + ":3128", "expected a host name"),
        ("http://[fe80::1%eth0]:3128", "host:port"),
        ("http://[v1.a:b]:3128", "host:port"),
        ("http://" + ".".join(["abcdefg"] * 31) + ".abc:60000", "255"),
    ],
)
def test_what_is_no_upstream_is_explained_without_its_password(text: str, told: str) -> None:
    with pytest.raises(UpstreamUrlInvalid) as caught:
        parse_upstream(text)
    shown = f"{caught.value.expected} {caught.value.hint}"
    assert told in shown
    assert "hunter2" not in shown


@given(st.text(max_size=60))
def test_any_text_is_an_upstream_or_explained(text: str) -> None:
    for untrusted in (text, f"http://{text}:3128", f"socks5://p.test{text}"):
        try:
            upstream = parse_upstream(untrusted)
        except UpstreamUrlInvalid:
            continue
        assert parse_upstream(str(upstream)) == upstream
        assert parse_rules((), (upstream.endpoint,), ()).tcp_ports == {upstream.port}, "the dialer reads it"
        compiled = CompiledPolicy(EgressPolicy(hosts=(("*",),), upstreams=(Upstream(url=str(upstream)),)))
        # The policy allows every host, so it does not refuse.
        (route,) = cast(Routes, compiled.decide(Target("shop.test", 443)))
        assert route.proxy is not None
        assert route.proxy.url == str(upstream), "the gateway reports it by the same name"
