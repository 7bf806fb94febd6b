"""CONNECT tunnels: bytes both ways, ends, backpressure, silence."""

import asyncio

from pw_egress.client import Client, client
from pw_egress.origin import Handler, Origin, serving
from pw_egress.running_proxy import running, to

from pageworker_sandbox.egress.limits import EgressLimits

CONNECT = b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n"


def _upper(origin: Origin) -> Handler:
    """Echoes in capitals until the end, then says goodbye."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"bye")
        await writer.drain()

    return handle


def _mute(origin: Origin) -> Handler:
    """Never reads nor writes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        origin.arrived.set()
        await asyncio.Event().wait()

    return handle


async def _open(runner: Client, early: bytes = b"") -> None:
    runner.writer.write(CONNECT + early)
    assert await runner.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"


async def test_bytes_go_both_ways_and_ends_are_passed_on() -> None:
    async with serving(_upper) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        await _open(runner, early=b"early ")
        runner.writer.write(b"late")
        assert await runner.reader.readexactly(10) == b"EARLY LATE"
        runner.writer.write_eof()
        assert await runner.reader.read() == b"bye"
        assert (proxy.runner_proxy.usage().up_bytes, proxy.runner_proxy.usage().down_bytes) == (10, 13)


async def test_megabytes_pass_through_a_slow_reader_without_being_held() -> None:
    size = 8 * 1024 * 1024
    async with serving(_upper) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        await _open(runner)
        async with asyncio.TaskGroup() as group:
            group.create_task(_write_all(runner, b"x" * size))
            got = await runner.reader.readexactly(size)
        assert got == b"X" * size


async def _write_all(runner: Client, data: bytes) -> None:
    runner.writer.write(data)
    await runner.writer.drain()


async def test_an_origin_that_does_not_read_stops_the_runner() -> None:
    async with serving(_mute) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        await _open(runner)
        await origin.arrived.wait()
        sent = 0
        try:
            async with asyncio.timeout(1):
                while True:
                    await _write_all(runner, bytes(1024 * 1024))
                    sent += 1
        except TimeoutError:
            pass
        # The kernel's buffers on three sockets take some megabytes; the gateway adds next to nothing.
        assert sent < 40


async def test_a_silent_tunnel_is_cut() -> None:
    quick = EgressLimits(silence_seconds=0.1)
    async with serving(_mute) as origin, running(to(origin.port), quick) as proxy, client(proxy.port) as runner:
        await _open(runner)
        assert await runner.ended()


async def test_a_moving_tunnel_is_not_cut() -> None:
    quick = EgressLimits(silence_seconds=0.3)
    async with serving(_upper) as origin, running(to(origin.port), quick) as proxy, client(proxy.port) as runner:
        await _open(runner)
        until = asyncio.get_running_loop().time() + 1.0
        while asyncio.get_running_loop().time() < until:
            runner.writer.write(b"a")
            assert await runner.reader.readexactly(1) == b"A"


async def test_both_ends_are_closed_when_the_runner_vanishes() -> None:
    async with serving(_upper) as origin, running(to(origin.port)) as proxy:
        async with client(proxy.port) as runner:
            await _open(runner)
            runner.writer.transport.abort()
        async with asyncio.timeout(5):
            await origin.closed.wait()
