"""Records of finished requests: what they hold, how many there are, and that there are none while the log is off."""

import asyncio
import random
import socket

import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import answering, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import listener, to
from pw_egress.set_clock import SetClock

from pageworker_sandbox.egress.access_log import NOT_RECORDED, AccessLog, AccessSampling, OpenRequest
from pageworker_sandbox.egress.client import GatewayClient
from pageworker_sandbox.egress.errors import EgressRefused
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import AccessRecord
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target, parse_authority

TARGET: Target = parse_authority(b"shop.test:443")
LIMITS = EgressLimits(records_per_second=1.0, records_burst=3)


def opened(share: float = 1.0) -> tuple[AccessLog, AccessSampling, SetClock]:
    sampling, clock = AccessSampling(), SetClock()
    sampling.share = share
    return AccessLog("r1", LIMITS, sampling, clock, lambda: None), sampling, clock


def test_a_record_has_the_times_and_bytes_of_its_request() -> None:
    log, _, clock = opened()
    meter = Meter()
    with log.request(b"CONNECT", TARGET, meter) as request:
        assert isinstance(request, OpenRequest)
        assert request.send(20)
        assert request.receive(300)
        clock.now += 2.5
    (record,) = log.drain()
    assert record == AccessRecord(
        runner_id="r1", method="CONNECT", host="shop.test", port=443, up_bytes=20, down_bytes=300, seconds=2.5
    )
    assert (meter.usage(0).up_bytes, meter.usage(0).down_bytes) == (20, 300), "the runner's own counts go on"
    assert log.drain() == []


def test_a_refused_request_has_its_reason() -> None:
    log, _, _ = opened()
    with pytest.raises(EgressRefused), log.request(b"GET", TARGET, Meter()):
        raise EgressRefused("host_not_allowed")
    assert [record.reason for record in log.drain()] == ["host_not_allowed"]


async def test_a_tunnel_that_its_budget_cut_has_the_reason() -> None:
    ours, theirs = socket.socketpair()
    log, _, _ = opened()
    meter = Meter(10)
    with theirs, log.request(b"CONNECT", TARGET, meter) as request:
        _, origin = await asyncio.get_running_loop().create_connection(lambda: Stream(1024, meter), sock=ours)
        request.watch(origin)
        theirs.send(b"abcdefghijkl")
        await origin.gone()
    (record,) = log.drain()
    assert (record.down_bytes, record.reason) == (10, "budget_exhausted")


def test_a_method_is_cut() -> None:
    """A runner may send a method of 32 KiB."""
    log, _, _ = opened()
    with log.request(b"M" * 100, TARGET, Meter()):
        pass
    assert log.drain()[0].method == "M" * 16


def test_a_storm_is_a_few_records_and_a_number() -> None:
    log, _, clock = opened()
    for _ in range(50):
        with log.request(b"GET", TARGET, Meter()):
            pass
    assert len(log.drain()) == 3
    clock.now += 1.0
    with log.request(b"GET", TARGET, Meter()):
        pass
    assert [record.suppressed for record in log.drain()] == [47]


def test_a_share_of_the_requests_is_recorded_and_none_while_the_log_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    log, sampling, _ = opened(0.25)
    rolls = iter((0.1, 0.25, 0.9, 0.2))
    monkeypatch.setattr(random, "random", lambda: next(rolls))
    recorded = [log.request(b"GET", TARGET, Meter()) is not NOT_RECORDED for _ in range(4)]
    assert recorded == [True, False, False, True]
    sampling.share = 0.0
    assert log.request(b"GET", TARGET, Meter()) is NOT_RECORDED, "without a roll: the iterator is at its end"


async def collect(supervisor: GatewayClient, records: list[AccessRecord], count: int) -> None:
    """Wait for `count` records."""
    async with asyncio.timeout(10):
        while len(records) < count:
            await supervisor.ping()


async def test_requests_of_a_real_gateway_are_recorded_while_the_log_is_on() -> None:
    records: list[AccessRecord] = []
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}", on_access=records.append) as both:
        supervisor, _ = both
        with listener() as sock:
            port = sock.getsockname()[1]
            await attach(supervisor, "runner-1", sock, to(origin.port))
        async with client(port) as before:
            await before.ask(get("http://shop.test/unrecorded"))
            await supervisor.set_access_log(1.0)
            await before.ask(get("http://shop.test/secret-path?token=x", "Cookie: secret-cookie"))
        assert (await ask(port, get("http://127.0.0.1/"))).status == 403
        async with client(port) as tunnel:
            tunnel.writer.write(b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n")
            await tunnel.reader.readuntil(b"\r\n\r\n")
            await tunnel.ask(get("http://shop.test/in-the-tunnel"))
            await collect(supervisor, records, 2)
            usage = await supervisor.detach("runner-1")
        plain, refused, through = records
    assert (plain.method, plain.host, plain.port, plain.status, plain.reason) == ("GET", "shop.test", 80, 200, "")
    assert len(b"HTTP/1.1 200 OK") < plain.down_bytes < 100, "one answer, not also that of the request before"
    assert (refused.host, refused.status, refused.reason) == ("127.0.0.1", None, "private_address")
    assert (through.method, through.port, through.status) == ("CONNECT", 443, None)
    assert through.up_bytes == len(get("http://shop.test/in-the-tunnel"))
    assert usage.down_bytes == 2 * plain.down_bytes + through.down_bytes
    assert not any(word in repr(records) for word in ("secret", "token", "in-the-tunnel"))
