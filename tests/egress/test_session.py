"""Sessions: what is refused, with which answer, and that no origin sees it."""

import asyncio
import os
import socket

import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import answering, serving
from pw_egress.running_proxy import ALL, running, to

from pageworker_sandbox.dialer.connector import DirectConnector
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.wire.request_failure import RequestFailure


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "private_address"),
        ("http://2852039166/", "private_address"),
        ("http://[::ffff:169.254.169.254]/", "private_address"),
        ("http://inner.test/", "private_address"),
        ("http://mixed.test/", "private_address"),
        ("http://nat64.test/", "private_address"),
        ("http://shop.test:22/", "port_not_allowed"),
        ("http://other.example/", "host_not_allowed"),
    ],
)
async def test_a_refusal_says_why(url: str, reason: str) -> None:
    names = {
        "inner.test": ["10.0.0.7"],
        "mixed.test": ["93.184.216.34", "127.0.0.1"],
        "nat64.test": ["64:ff9b::7f00:1"],
    }
    policy = EgressPolicy(hosts=(("*.test", "169.254.*"),))
    authority = url.split("/")[2]
    asked = authority if authority.endswith(":22") else f"{authority}:80"
    async with running(policy, names=names) as proxy:
        for request in (get(url), f"CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n".encode()):
            response = await ask(proxy.port, request)
            assert (response.status, response.failure) == (403, RequestFailure("refused", reason, asked))
            assert proxy.reported() == [response.failure]
        assert [refused for refused, _ in proxy.refused] == [reason] * 2
        assert proxy.runner_proxy.usage().refused == {reason: 2}


async def test_what_a_name_resolved_to_is_not_reported() -> None:
    async with running(EgressPolicy(hosts=ALL), names={"inner.test": ["10.0.0.7"]}) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(get("http://inner.test/"))
        assert b"10.0.0.7" not in await reader.read()
        assert proxy.reported() == [RequestFailure("refused", "private_address", "inner.test:80")]
        writer.close()


async def test_the_runner_gets_the_public_address_that_its_request_goes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as origin:

        async def connect(connector: DirectConnector, address: Address, port: int) -> socket.socket:
            # The public address is not reached from a test.
            connected = socket.create_connection(("127.0.0.1", origin.port))
            connected.setblocking(False)
            return connected

        monkeypatch.setattr(DirectConnector, "connect", connect)
        policy = EgressPolicy(hosts=ALL, fixed={"fixed.test": f"127.0.0.1:{origin.port}"})
        async with running(policy, names={"shop.test": ["93.184.216.34"]}) as proxy:
            for host in ("fixed.test", "shop.test"):
                assert (await ask(proxy.port, get(f"http://{host}/"))).status == 200
            assert os.read(proxy.failures, 1000) == b"origin shop.test|80 93.184.216.34\n"


async def test_this_machine_is_refused_by_any_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    # Loopback stands in for a public address of the host's own: the kernel answers the same way for both.
    monkeypatch.setattr("pageworker_sandbox.egress.policy.is_public", lambda address: True)
    async with serving(answering()) as origin, running(EgressPolicy(hosts=ALL, ports=(origin.port,))) as proxy:
        response = await ask(proxy.port, get(f"http://127.0.0.1:{origin.port}/"))
        assert (response.status, response.egress) == (403, "private_address")
        assert origin.connections == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n", 400),
        (b"GET https://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n", 400),
        (b"GET http://a@shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n", 400),
        (b"CONNECT shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n", 400),
        (b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_reaches_no_origin(request_bytes: bytes, status: int) -> None:
    async with serving(answering()) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        runner.writer.write(request_bytes)
        response = await runner.answer()
        assert (response.status, response.egress) == (status, "malformed_request")
        assert origin.connections == 0


async def test_a_refused_upload_reads_its_answer() -> None:
    async with running(EgressPolicy(hosts=ALL)) as proxy, client(proxy.port) as runner:
        size = 3_000_000
        head = f"POST http://10.0.0.1/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        response = await runner.ask(head.encode() + bytes(size))
        assert (response.status, response.egress) == (403, "private_address")


@pytest.mark.parametrize(
    ("url", "status", "reason"),
    [
        ("http://nowhere.test/", 502, "name_not_resolved"),
        ("http://closed.test/", 502, "connection_refused"),
        ("http://blackhole.test/", 504, "connect_timeout"),
    ],
)
async def test_unreachable(url: str, status: int, reason: str, unused_tcp_port: int) -> None:
    # A listener whose backlog is full lets a connection hang.
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler.connect(full.getsockname())
        fixed = {
            "closed.test": f"127.0.0.1:{unused_tcp_port}",
            "blackhole.test": f"127.0.0.1:{full.getsockname()[1]}",
        }
        async with running(EgressPolicy(hosts=ALL, fixed=fixed, connect_seconds=0.5)) as proxy:
            response = await ask(proxy.port, get(url))
            assert (response.status, response.egress) == (status, reason)
            assert proxy.reported() == [RequestFailure("unreachable", reason, f"{url.split('/')[2]}:80")]
