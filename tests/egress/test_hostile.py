"""Runners and origins that attack the gateway or other runners."""

import asyncio
import socket
import threading
import time

import pytest
from pw_egress.client import client, get
from pw_egress.origin import Handler, Origin, answering, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import listener, running, to

from pageworker_sandbox.egress.limits import EgressLimits


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


def _tiny_chunks() -> bytes:
    return b"1\r\nx\r\n" * 40_000


def _many_headers() -> bytes:
    return b"GET http://shop.test/ HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 7_000 + b"\r\n"


@pytest.mark.parametrize("attack", ["chunks", "headers", "refusals", "connects"])
async def test_one_runner_does_not_slow_the_others(attack: str) -> None:
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, _):
        with listener() as hostile, listener() as good:
            hostile_port, good_port = hostile.getsockname()[1], good.getsockname()[1]
            await attach(supervisor, "hostile", hostile, to(origin.port))
            await attach(supervisor, "good", good, to(origin.port))
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
