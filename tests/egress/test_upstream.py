"""Upstream proxies: what they are asked, with which credentials, and when they fail."""

import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import OK, answering, closing, serving
from pw_egress.running_proxy import ALL, running
from pw_egress.upstream_proxies import http_proxy, socks_proxy

from pageworker_sandbox.egress.messages import EgressPolicy, Upstream

NAMES = {"shop.test": ["93.184.216.34"], "inner.test": ["10.0.0.1"], "v6.test": ["2606:4700::1111"]}


def _policy(scheme: str, port: int, resolves: bool = False, username: str | None = "bob") -> EgressPolicy:
    upstream = Upstream(url=f"{scheme}://127.0.0.1:{port}", username=username, password="s3cret", resolves=resolves)
    return EgressPolicy(hosts=ALL, upstreams=(upstream,))


async def test_an_http_proxy_gets_the_checked_address_and_our_credentials() -> None:
    async with (
        serving(answering()) as origin,
        serving(http_proxy(origin.port)) as upstream,
        running(_policy("http", upstream.port), names=NAMES) as proxy,
    ):
        response = await ask(proxy.port, get("http://shop.test/", "Proxy-Authorization: Basic ZXZpbA=="))
        assert response.body == b"ok"
        assert upstream.heads == [
            (
                b"CONNECT 93.184.216.34:80 HTTP/1.1\r\nHost: 93.184.216.34:80\r\n"
                b"Proxy-Authorization: Basic Ym9iOnMzY3JldA==\r\n\r\n"
            )
        ]
        assert origin.heads == [b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"]
        assert (await ask(proxy.port, get("http://inner.test/"))).egress == "private_address"
        await ask(proxy.port, get("http://v6.test/"))
        assert upstream.heads[-1].startswith(b"CONNECT [2606:4700::1111]:80 ")


async def test_what_is_said_to_the_proxy_is_counted_too() -> None:
    async with (
        serving(answering()) as origin,
        serving(http_proxy(origin.port)) as upstream,
        running(_policy("http", upstream.port), names=NAMES) as proxy,
    ):
        await ask(proxy.port, get("http://shop.test/"))
        usage = proxy.runner_proxy.usage()
        assert usage.requests == 1
        assert usage.up_bytes == len(upstream.heads[0]) + len(origin.heads[0])
        assert usage.down_bytes > len(OK), "the answer to CONNECT, and the host's"


async def test_a_proxy_that_resolves_gets_names() -> None:
    async with (
        serving(answering()) as origin,
        serving(http_proxy(origin.port)) as upstream,
        running(_policy("http", upstream.port, resolves=True)) as proxy,
    ):
        assert (await ask(proxy.port, get("http://shop.test/a?b"))).body == b"proxy"
        async with client(proxy.port) as runner:
            runner.writer.write(b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            assert (await runner.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert upstream.heads[0].startswith(b"GET http://shop.test/a?b HTTP/1.1\r\nHost: shop.test\r\n")
        assert b"Proxy-Authorization: Basic Ym9iOnMzY3JldA==\r\n" in upstream.heads[0]
        assert upstream.heads[1].startswith(b"CONNECT shop.test:80 ")
        assert (await ask(proxy.port, get("http://127.0.0.1/"))).egress == "private_address"


@pytest.mark.parametrize("method", [b"TRACE", b"trace"])
async def test_a_proxy_gets_no_request_that_it_repeats_with_our_login(method: bytes) -> None:
    async with (
        serving(answering()) as origin,
        serving(http_proxy(origin.port)) as upstream,
        running(_policy("http", upstream.port, resolves=True)) as proxy,
    ):
        trace = method + b" http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"
        assert (await ask(proxy.port, trace)).egress == "malformed_request"
        assert upstream.heads == []


@pytest.mark.parametrize("resolves", [False, True])
async def test_socks5(resolves: bool) -> None:
    async with serving(answering()) as origin, serving(socks_proxy(origin.port)) as upstream:
        async with running(_policy("socks5", upstream.port, resolves), names=NAMES) as proxy:
            assert (await ask(proxy.port, get("http://shop.test/"))).body == b"ok"
        assert upstream.heads[0] == b"bob:s3cret"
        assert upstream.heads[1] == (b"shop.test\x00\x50" if resolves else b"\x5d\xb8\xd8\x22\x00\x50")


async def test_socks5_without_credentials() -> None:
    async with serving(answering()) as origin, serving(socks_proxy(origin.port)) as upstream:
        async with running(_policy("socks5", upstream.port, username=None), names=NAMES) as proxy:
            assert (await ask(proxy.port, get("http://v6.test/"))).body == b"ok"
        assert len(upstream.heads) == 1
        assert len(upstream.heads[0]) == 18


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n", 403, "proxy_unavailable"),
        (b"HTTP/1.1 503 No\r\n\r\n", 502, "upstream_refused"),
        (b"220 mail\r\n\r\n", 403, "proxy_unavailable"),
        (b"", 403, "proxy_unavailable"),
    ],
)
async def test_http_proxies_that_fail(answer: bytes, status: int, reason: str) -> None:
    async with (
        serving(http_proxy(1, answer)) as upstream,
        running(_policy("http", upstream.port), names=NAMES) as proxy,
    ):
        response = await ask(proxy.port, get("http://shop.test/"))
        assert (response.status, response.egress) == (status, reason)


async def test_socks_proxies_that_fail() -> None:
    async with serving(socks_proxy(1, reply=5)) as upstream, serving(closing(b"\x05\xff")) as picky:
        for port, reason in ((upstream.port, "connection_refused"), (picky.port, "proxy_unavailable")):
            policy = _policy("socks5", port)
            async with running(
                EgressPolicy(hosts=ALL, upstreams=policy.upstreams, connect_seconds=0.3), names=NAMES
            ) as proxy:
                assert (await ask(proxy.port, get("http://shop.test/"))).egress == reason
