"""A runner's policy in force: rate, budgets, and what a changed policy closes."""

import asyncio

import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import Handler, Origin, answering, serving
from pw_egress.running_proxy import ALL, running, to

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.egress.permit_requests import RequestPermit
from pageworker_sandbox.egress.session import ESTABLISHED
from pageworker_sandbox.egress.target import Target

CONNECT = b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n"


class PermitLog:
    """What the gateway asked for. Nothing goes on before `permit`."""

    counted = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.permit = asyncio.Event()
        self.refuses = False
        self.ended = asyncio.Semaphore(0)

    async def ask(self, target: Target, tunnel: bool) -> RequestPermit:
        """Wait."""
        self.asked.append((target.authority, tunnel))
        await self.permit.wait()
        return RequestPermit(refused=self.refuses, counted=self.counted, end=self.ended.release)


async def test_a_request_to_a_limited_host_waits_for_its_permit() -> None:
    permits = PermitLog()
    async with serving(answering()) as origin:
        policy = to(origin.port, limited=("shop.*",), connect_seconds=0.3)
        async with running(policy, ask_permit=permits.ask) as proxy, asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(ask(proxy.port, get("http://shop.test/")))
            done, _ = await asyncio.wait([asking], timeout=0.5)
            assert not done
            assert origin.heads == []
            permits.permit.set()
            assert (await asking).status == 200, "the wait takes no time from the connection"
            permits.refuses = True
            response = await ask(proxy.port, get("http://shop.test/"))
            assert (response.status, response.egress) == (403, "rate_limited")
            assert len(origin.heads) == 1
            assert proxy.refused[-1] == ("rate_limited", "shop.test:80")
            assert permits.asked == [("shop.test:80", False)] * 2


async def test_a_request_to_a_blocked_host_is_refused_and_uses_nothing_of_a_budget() -> None:
    async with serving(answering()) as origin:
        policy = to(origin.port, blocked=("*.shop.test", "shop.test"), budget_requests=1)
        async with running(policy) as proxy:
            assert (await ask(proxy.port, get("http://shop.test/"))).egress == "host_blocked"
            assert (await ask(proxy.port, get("http://A.shop.TEST.:99/"))).egress == "host_blocked"
            assert (await ask(proxy.port, CONNECT)).egress == "host_blocked"
            usage = proxy.runner_proxy.usage()
            assert (usage.requests, usage.refused) == (0, {"host_blocked": 3})
            assert [failure.reason for failure in proxy.reported() if failure] == ["host_blocked"] * 3
            assert proxy.refused == [], "what a job asks for is no news for the supervisor"
            assert origin.heads == []


async def test_a_tunnel_to_a_limited_host_waits_as_well_and_port_80_has_no_tls() -> None:
    permits = PermitLog()
    permits.permit.set()
    async with serving(answering()) as origin:
        fixed = dict.fromkeys(("shop.test", "free.test"), f"127.0.0.1:{origin.port}")
        policy = EgressPolicy(hosts=ALL, limited=("shop.test",), fixed=fixed)
        async with running(policy, ask_permit=permits.ask) as proxy:
            for authority in (b"shop.test:443", b"shop.test:80", b"free.test:443"):
                async with client(proxy.port) as runner:
                    runner.writer.write(b"CONNECT " + authority + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert b" 200 " in await runner.reader.readuntil(b"\r\n\r\n")
            assert (await ask(proxy.port, get("http://free.test/"))).status == 200
            assert (await ask(proxy.port, get("http://shop.test:99/"))).egress == "port_not_allowed"
    assert permits.asked == [("shop.test:443", True), ("shop.test:80", False)]


def _in_two_parts(origin: Origin) -> Handler:
    """Sends the second byte of its answer once the client of the test permits it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
        await origin.arrived.wait()
        writer.write(b"2")
        await reader.read()

    return handle


async def test_a_request_is_open_until_its_response_has_ended() -> None:
    permits = PermitLog()
    permits.permit.set()
    async with (
        serving(_in_two_parts) as origin,
        running(to(origin.port, limited=("shop.test",)), ask_permit=permits.ask) as proxy,
        client(proxy.port) as runner,
    ):
        runner.writer.write(get("http://shop.test/"))
        await runner.reader.readuntil(b"\r\n\r\n1")
        assert permits.ended.locked()
        origin.arrived.set()
        async with asyncio.timeout(5):
            await permits.ended.acquire()
        assert await runner.reader.readexactly(1) == b"2", "the connection may be used again"


async def test_a_request_is_over_when_its_runner_or_its_origin_leaves() -> None:
    permits = PermitLog()
    permits.permit.set()
    async with (
        serving(_in_two_parts) as origin,
        running(to(origin.port, limited=("shop.test",)), ask_permit=permits.ask) as proxy,
    ):
        async with client(proxy.port) as runner:
            runner.writer.write(get("http://shop.test/"))
            await runner.reader.readuntil(b"\r\n\r\n1")
            assert permits.ended.locked()
        async with asyncio.timeout(5):
            await permits.ended.acquire()
    permits.refuses = True
    async with running(to(1, limited=("shop.test",)), ask_permit=permits.ask) as proxy:
        assert (await ask(proxy.port, get("http://shop.test/"))).egress == "rate_limited"
        assert permits.ended.locked(), "it was never open"
        permits.refuses = False
        assert (await ask(proxy.port, get("http://shop.test/"))).status == 502
        assert not permits.ended.locked(), "nothing listens there"


@pytest.mark.parametrize("counted", [False, True])
async def test_a_counted_tunnel_that_seems_to_wait_for_a_request_is_closed(counted: bool) -> None:
    permits = PermitLog()
    permits.permit.set()
    permits.counted = counted
    quick = EgressLimits(quiet_seconds=0.1)
    async with (
        serving(answering()) as origin,
        running(to(origin.port, limited=("shop.test",)), quick, ask_permit=permits.ask) as proxy,
        client(proxy.port) as runner,
    ):
        runner.writer.write(CONNECT)
        await runner.reader.readuntil(b"\r\n\r\n")
        runner.writer.write(get("http://shop.test/"))
        await runner.reader.readuntil(b"ok")
        assert permits.ended.locked(), "a tunnel is open as long as its connection"
        if counted:
            async with asyncio.timeout(5):
                await permits.ended.acquire()
                assert await runner.ended()
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4):
                    await runner.reader.read(1)


async def test_a_budget_ends_transfers_and_further_requests() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(4_000_000)
    async with serving(answering(endless)) as origin, running(to(origin.port, budget_bytes=100_000)) as proxy:
        async with client(proxy.port) as runner:
            runner.writer.write(get("http://shop.test/"))
            assert len(await _all(runner.reader)) <= 100_000
        usage = proxy.runner_proxy.usage()
        assert usage.up_bytes + usage.down_bytes == 100_000
        assert proxy.refused == [("budget_exhausted", "shop.test:80")], "the cut connection"
        response = await ask(proxy.port, get("http://shop.test/"))
        assert (response.status, response.egress) == (403, "budget_exhausted")
        assert len(proxy.refused) == 2
        proxy.runner_proxy.update(to(origin.port, budget_bytes=10_000_000))
        async with client(proxy.port) as runner:
            runner.writer.write(get("http://shop.test/"))
            assert await runner.reader.readexactly(1_000_000)


async def test_a_tunnel_is_cut_at_the_byte() -> None:
    async with (
        serving(answering(bytes(4_000_000))) as origin,
        running(to(origin.port, budget_bytes=100_000)) as proxy,
        client(proxy.port) as runner,
    ):
        runner.writer.write(CONNECT)
        await runner.reader.readuntil(b"\r\n\r\n")
        sent = get("http://shop.test/")
        runner.writer.write(sent)
        assert len(await _all(runner.reader)) == 100_000 - len(sent)
        usage = proxy.runner_proxy.usage()
        assert (usage.down_bytes, usage.refused) == (100_000 - len(sent), {"budget_exhausted": 1})


async def test_requests_and_tunnels_share_one_budget_and_the_next_turn_has_its_own() -> None:
    async with (
        serving(answering()) as origin,
        running(to(origin.port, budget_requests=2, budget_turn=1)) as proxy,
        client(proxy.port) as runner,
    ):
        runner.writer.write(CONNECT)
        assert await runner.reader.readuntil(b"\r\n\r\n") == ESTABLISHED
        answers = [(await ask(proxy.port, get("http://shop.test/"))).egress for _ in range(3)]
        assert answers == ["", "budget_exhausted", "budget_exhausted"]
        assert (await ask(proxy.port, CONNECT)).egress == "budget_exhausted"
        proxy.runner_proxy.update(to(origin.port, budget_requests=2, budget_turn=2))
        answers = [(await ask(proxy.port, get("http://shop.test/"))).egress for _ in range(3)]
        assert answers == ["", "", "budget_exhausted"]
        proxy.runner_proxy.update(to(origin.port, budget_requests=2, budget_turn=3))
        runner.writer.write(get("http://shop.test/"))
        assert (await runner.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200"), "it was never closed"


async def _all(reader: asyncio.StreamReader) -> bytes:
    data = b""
    try:
        while more := await reader.read(65536):
            data += more
    except ConnectionError:
        pass
    return data


async def test_a_changed_policy_closes_what_it_forbids_and_nothing_else() -> None:
    def echo(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)

        return handle

    async with serving(echo) as origin:
        fixed = dict.fromkeys(("one.test", "two.test"), f"127.0.0.1:{origin.port}")
        both = EgressPolicy(hosts=ALL, fixed=fixed)
        async with running(both) as proxy, client(proxy.port) as one, client(proxy.port) as two:
            for runner, name in ((one, b"one.test:443"), (two, b"two.test:443")):
                runner.writer.write(b"CONNECT " + name + b" HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
                await runner.reader.readuntil(b"\r\n\r\n")
            proxy.runner_proxy.update(both)
            proxy.runner_proxy.update(EgressPolicy(hosts=(("two.*",),), fixed=fixed))
            assert await one.ended()
            two.writer.write(b"alive")
            assert await two.reader.readexactly(5) == b"alive"
            # Still allowed, but somewhere else now: a connection to the old address is no longer right.
            moved = {"two.test": f"127.0.0.2:{origin.port}"}
            proxy.runner_proxy.update(EgressPolicy(hosts=ALL, fixed=moved))
            assert await two.ended()
