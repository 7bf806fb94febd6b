"""The gateway process, as the supervisor uses it: attach, update, detach, and what is refused."""

import asyncio
import os
import socket
from typing import Any

import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import answering, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import ALL, listener, to

from pageworker_sandbox.egress.client import GatewayClient, GatewayRefused, Notice, PermitNews
from pageworker_sandbox.egress.errors import InvalidListener, InvalidPolicy
from pageworker_sandbox.egress.messages import (
    MAX_HOSTS,
    EgressPolicy,
    GatewayPermitEnd,
    GatewayPermitRequest,
    ProxyLost,
    RefusalNotice,
    Upstream,
)


async def _heard(client: GatewayClient) -> Notice:
    async with asyncio.timeout(5):
        async for notice in client.notices():
            return notice
    raise AssertionError("unreachable: notices never end")


async def test_a_runner_from_attach_to_detach() -> None:
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, process):
        with listener() as sock:
            port = sock.getsockname()[1]
            await attach(supervisor, "runner-1", sock, to(origin.port))
        assert (await ask(port, get("http://shop.test/"))).body == b"ok"
        usage = await supervisor.usage("runner-1")
        assert usage.requests == 1
        assert usage.down_bytes > usage.up_bytes > 0

        await supervisor.update("runner-1", EgressPolicy(hosts=(("other",),)))
        assert (await ask(port, get("http://shop.test/"))).egress == "host_not_allowed"
        notice = await _heard(supervisor)
        assert notice == RefusalNotice(runner_id="runner-1", reason="host_not_allowed", host="shop.test", port=80)

        async with client(port) as runner:
            assert (await runner.ask(get("http://shop.test/"))).status == 403
            last = await supervisor.detach("runner-1")
            assert last.refused == {"host_not_allowed": 2}
            assert await runner.ended()
        with pytest.raises(ConnectionError):
            await ask(port, get("http://shop.test/"))
        with pytest.raises(GatewayRefused, match="unknown_runner"):
            await supervisor.usage("runner-1")
        with pytest.raises(GatewayRefused, match="unknown_runner"):
            await supervisor.detach("runner-1")
    assert process.returncode == 0


async def test_the_supervisor_permits_each_request_to_a_limited_host() -> None:
    """Answers find their requests in any order, and one that no request waits for is dropped."""
    asked: asyncio.Queue[PermitNews] = asyncio.Queue()
    async with (
        serving(answering()) as origin,
        gateway(f"127.0.0.1:{origin.port}", on_permit=asked.put_nowait) as (supervisor, _),
    ):
        with listener() as sock:
            port = sock.getsockname()[1]
            await attach(supervisor, "runner-1", sock, to(origin.port, limited=("shop.test",)))
        async with asyncio.TaskGroup() as tasks:
            answers = []
            numbers = []
            for path in ("one", "two"):
                answers.append(tasks.create_task(ask(port, get(f"http://shop.test/{path}"))))
                request = await asked.get()
                assert request == GatewayPermitRequest(
                    number=request.number, runner_id="runner-1", host="shop.test", tunnel=False
                )
                numbers.append(request.number)
            await supervisor.permit(999)
            await supervisor.permit(numbers[1])
            assert (await answers[1]).body == b"ok"
            assert not answers[0].done()
            await supervisor.permit(numbers[0], refused=True)
            assert (await answers[0]).egress == "rate_limited"
        assert (await supervisor.usage("runner-1")).refused == {"rate_limited": 1}
        async with client(port) as gone:
            gone.writer.write(get("http://shop.test/"))
            await asked.get()
        await supervisor.detach("runner-1")
        await supervisor.ping()


async def test_the_supervisor_is_told_when_a_counted_request_has_ended() -> None:
    told: asyncio.Queue[PermitNews] = asyncio.Queue()
    async with (
        serving(answering()) as origin,
        gateway(f"127.0.0.1:{origin.port}", on_permit=told.put_nowait) as (supervisor, _),
    ):
        with listener() as sock:
            port = sock.getsockname()[1]
            await attach(supervisor, "runner-1", sock, to(origin.port, limited=("shop.test",)))
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
            for counted in (False, True):
                answer = tasks.create_task(ask(port, get("http://shop.test/")))
                request = await told.get()
                await supervisor.permit(request.number, counted=counted)
                assert (await answer).body == b"ok"
            assert await told.get() == GatewayPermitEnd(number=request.number, runner_id="runner-1")
        assert told.empty()


async def test_a_runner_is_attached_once() -> None:
    async with gateway() as (supervisor, _):
        with listener() as sock:
            await attach(supervisor, "runner-1", sock, EgressPolicy())
            with pytest.raises(GatewayRefused, match="known_runner"):
                await attach(supervisor, "runner-1", sock, EgressPolicy())
            await supervisor.detach("runner-1")
            with pytest.raises(GatewayRefused, match="unknown_runner"):
                await supervisor.update("runner-1", EgressPolicy())


async def test_only_listening_tcp_sockets_are_taken() -> None:
    read, write = os.pipe()
    with socket.socket() as idle, socket.socket(socket.AF_UNIX) as local, listener() as good:
        local.bind("\0pageworker-test-" + os.urandom(8).hex())
        local.listen()
        udp = socket.socket(type=socket.SOCK_DGRAM)
        with udp, socket.create_connection(good.getsockname()) as connected:
            async with gateway() as (supervisor, _):
                for number in (read, idle.fileno(), local.fileno(), udp.fileno(), connected.fileno()):
                    with pytest.raises(InvalidListener):
                        await attach(supervisor, "runner-1", number, EgressPolicy())
                await attach(supervisor, "runner-1", good, EgressPolicy())
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"fixed": {"a.test": "not an address"}}, "a.test"),
        ({"upstreams": (Upstream(url="gopher://x"),)}, "upstream"),
        ({"ports": (0,)}, "ports"),
        ({"connect_seconds": -1.0}, "connect_seconds"),
    ],
)
async def test_an_invalid_policy_is_named_and_costs_nothing_else(fields: dict[str, Any], named: str) -> None:
    async with gateway() as (supervisor, _):
        with listener() as sock:
            with pytest.raises(InvalidPolicy, match=named):
                await attach(supervisor, "runner-1", sock, EgressPolicy(**fields))
            await attach(supervisor, "runner-1", sock, EgressPolicy())
            with pytest.raises(InvalidPolicy, match=named):
                await supervisor.update("runner-1", EgressPolicy(**fields))
            assert (await supervisor.usage("runner-1")).requests == 0


async def test_the_largest_policy_passes_the_channel() -> None:
    hosts = tuple(f"{number:0>243}.example" for number in range(MAX_HOSTS))
    largest = EgressPolicy(hosts=(hosts, hosts), fixed=dict.fromkeys(hosts, "127.0.0.1"))
    async with gateway() as (supervisor, _):
        with listener() as sock:
            await attach(supervisor, "runner-1", sock, largest)
        await supervisor.update("runner-1", largest)


async def test_a_broken_listener_is_reported() -> None:
    async with gateway() as (supervisor, _):
        with listener() as sock:
            await attach(supervisor, "runner-1", sock, EgressPolicy())
            sock.shutdown(socket.SHUT_RDWR)
        lost = await _heard(supervisor)
        assert isinstance(lost, ProxyLost)
        assert lost.runner_id == "runner-1"
        with pytest.raises(GatewayRefused, match="unknown_runner"):
            await supervisor.usage("runner-1")


async def test_an_invalid_frame_ends_the_gateway() -> None:
    async with gateway() as (supervisor, process):
        supervisor._channel._sock.send(b"\xff" * 6)
        async with asyncio.timeout(5):
            assert await process.wait() == 1


async def test_a_storm_of_refusals_is_a_few_notices() -> None:
    async with gateway() as (supervisor, _):
        with listener() as sock:
            port = sock.getsockname()[1]
            await attach(supervisor, "runner-1", sock, EgressPolicy(hosts=ALL))
        for _ in range(100):
            assert (await ask(port, get("http://127.0.0.1/"))).status == 403
        assert (await supervisor.usage("runner-1")).refused == {"private_address": 100}
        assert 20 <= supervisor._notices.qsize() <= 30
