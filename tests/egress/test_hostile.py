"""Runners and origins that mean harm to the gateway or to their neighbours."""

import asyncio
import fcntl
import os
import select
import socket
import threading
import time

import pytest
from pw_egress.origin import Handler, Origin, answering, serving
from pw_egress.processes import gateway
from pw_egress.running_proxy import ALL, ask, client, get, listener, running, to

from pageworker_sandbox.dialer.connector import DirectConnector
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy


async def test_connections_of_a_cell_are_limited_and_their_places_given_back() -> None:
    limits = EgressLimits(connections_per_runner=4)
    async with serving(answering()) as origin, running(to(origin.port), limits) as proxy:
        holders = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(4)]
        waiting = asyncio.open_connection("127.0.0.1", proxy.port)
        reader, writer = await waiting
        writer.write(get("http://shop.test/"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        assert proxy.runner_proxy.usage().connections == 4
        holders[0][1].close()
        assert (await reader.read(1000)).startswith(b"HTTP/1.1 200")
        for _, other in [*holders, (reader, writer)]:
            other.close()


@pytest.mark.parametrize("start", [b"", b"GET http://shop.test/ HTTP/1.1\r\nX-Slow: "])
async def test_slow_and_idle_heads_are_cut(start: bytes) -> None:
    limits = EgressLimits(idle_seconds=0.1, head_seconds=0.1)
    async with serving(answering()) as origin, running(to(origin.port), limits) as proxy:
        async with client(proxy.port) as runner:
            runner.writer.write(start)
            async with asyncio.timeout(5):
                assert await runner.ended()
        assert origin.connections == 0


async def test_a_runner_that_reads_nothing_is_cut_and_holds_little() -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(1 << 20)

    def flood(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            while True:
                writer.write(body)
                await writer.drain()

        return handle

    async with serving(flood) as origin, running(to(origin.port), EgressLimits(silence_seconds=0.3)) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as runner:
            runner.sendall(get("http://shop.test/"))
            async with asyncio.timeout(10):
                await origin.closed.wait()
        assert proxy.runner_proxy.usage().down_bytes < 64 << 20


async def test_clearing_nonblock_on_the_shared_listener_blocks_nobody() -> None:
    """The runner keeps a copy of its listener, makes it blocking and takes its own connections away."""
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, _):
        with listener() as hostile, listener() as good:
            await supervisor.attach("good", good.fileno(), to(origin.port))
            await supervisor.attach("hostile", hostile.fileno(), to(origin.port))
            over = threading.Event()
            thief = threading.Thread(target=_steal, args=(hostile, over))
            thief.start()
            try:
                slowest = 0.0
                for _ in range(100):
                    begun = time.perf_counter()
                    assert (await ask(good.getsockname()[1], get("http://shop.test/"))).status == 200
                    slowest = max(slowest, time.perf_counter() - begun)
                async with asyncio.timeout(5):
                    await supervisor.detach("hostile")
                assert slowest < 1
            finally:
                over.set()
                thief.join()


def _steal(sock: socket.socket, over: threading.Event) -> None:
    ready = select.poll()
    ready.register(sock, select.POLLIN)
    while not over.is_set():
        sock.listen()
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        fcntl.fcntl(sock, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
        try:
            with socket.create_connection(sock.getsockname(), timeout=0.2):
                if ready.poll(0):
                    fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_NONBLOCK)
                    sock.accept()[0].close()
        except OSError:
            continue


def _tiny_chunks() -> bytes:
    return b"1\r\nx\r\n" * 40_000


def _many_headers() -> bytes:
    return b"GET http://shop.test/ HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 7_000 + b"\r\n"


@pytest.mark.parametrize("attack", ["chunks", "headers", "refusals", "connects"])
async def test_one_cell_does_not_slow_the_others(attack: str) -> None:
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, _):
        with listener() as hostile, listener() as good:
            hostile_port, good_port = hostile.getsockname()[1], good.getsockname()[1]
            await supervisor.attach("hostile", hostile.fileno(), to(origin.port))
            await supervisor.attach("good", good.fileno(), to(origin.port))
        over = threading.Event()
        attackers = [threading.Thread(target=_attack, args=(attack, hostile_port, over)) for _ in range(12)]
        for attacker in attackers:
            attacker.start()
        try:
            async with client(good_port) as runner:
                took = []
                for _ in range(60):
                    begun = time.perf_counter()
                    assert (await runner.ask(get("http://shop.test/"))).status == 200
                    took.append(time.perf_counter() - begun)
                    await asyncio.sleep(0.01)
            took.sort()
            print(attack, "ms p50 p90 max", *(round(1000 * took[i]) for i in (30, 54, 59)))
            assert took[30] < 0.1
            assert took[54] < 0.5
        finally:
            over.set()
            for attacker in attackers:
                attacker.join()


def _attack(kind: str, port: int, over: threading.Event) -> None:
    chunks = b"POST http://shop.test/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + _tiny_chunks()
    payload = {
        "chunks": chunks,
        "headers": _many_headers() * 4,
        "refusals": get("http://10.0.0.1/") * 50,
        "connects": b"",
    }[kind]
    while not over.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.2) as sock:
                if payload:
                    sock.sendall(payload)
                    while sock.recv(65536) and not over.is_set():
                        pass
        except OSError:
            continue


async def test_dead_names_of_one_cell_do_not_hold_up_another() -> None:
    free = threading.Event()

    async with (
        serving(answering()) as origin,
        running(to(origin.port)) as other,
        running(EgressPolicy(hosts=ALL, connect_seconds=0.2)) as proxy,
    ):

        def stuck(host: str) -> list[Address]:
            free.wait(10)
            raise OSError("at last")

        connector = proxy.runner_proxy._enforcer._origins._connector
        assert isinstance(connector, DirectConnector)
        connector._look_up = stuck
        answers = asyncio.gather(*(ask(proxy.port, get(f"http://h{n}.test/")) for n in range(20)))
        try:
            assert (await ask(other.port, get("http://shop.test/"))).status == 200
            assert {answer.egress for answer in await answers} == {"connect_timeout"}
        finally:
            free.set()


async def test_descriptors_come_back_after_many_cells() -> None:
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, process):
        counts = []
        for number in range(30):
            with listener() as sock:
                port = sock.getsockname()[1]
                await supervisor.attach(f"r{number}", sock.fileno(), to(origin.port))
            answers = await asyncio.gather(*(ask(port, get("http://shop.test/")) for _ in range(5)))
            assert {answer.status for answer in answers} == {200}
            await supervisor.detach(f"r{number}")
            counts.append(len(os.listdir(f"/proc/{process.pid}/fd")))
        assert counts[-1] <= counts[2] + 2
        assert len(os.listdir(f"/proc/{process.pid}/task")) < 12
