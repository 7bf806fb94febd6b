"""Streams over socket pairs: backpressure, ends, budgets, and splicing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.stream import Stream

BUFFER = 1024


@asynccontextmanager
async def stream(meter: Meter | None = None) -> AsyncIterator[tuple[Stream, socket.socket]]:
    """A stream, and the non-blocking socket of its peer."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, made = await asyncio.get_running_loop().create_connection(lambda: Stream(BUFFER, meter), sock=ours)
    with theirs:
        try:
            yield made, theirs
        finally:
            made.abort("the test has ended")
            await made.gone()


async def receive(sock: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(sock, 65536)


async def test_bytes_arrive_and_the_end_is_empty() -> None:
    async with stream() as (ours, peer):
        peer.send(b"hello")
        assert await ours.read() == b"hello"
        peer.shutdown(socket.SHUT_WR)
        assert await ours.read() == b""
        assert not ours.open


async def test_a_stream_that_is_not_read_stops_its_peer() -> None:
    async with stream() as (ours, peer):
        sent = 0
        for _ in range(100):
            try:
                sent += peer.send(bytes(1 << 20))
            except BlockingIOError:
                await asyncio.sleep(0.001)
        assert sent < 4 << 20
        assert len(await ours.read()) >= BUFFER


async def test_a_peer_that_does_not_read_makes_the_writer_wait() -> None:
    async with stream() as (ours, peer):
        ours.write(bytes(8 << 20))
        assert ours.stuck
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ours.drain()
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(ours.drain())
            while not draining.done():
                await receive(peer)


async def test_readers_and_writers_of_an_aborted_stream_are_told_why() -> None:
    async with stream() as (ours, _):
        reading = asyncio.get_running_loop().create_task(ours.read())
        await asyncio.sleep(0)
        ours.abort("the reason")
        with pytest.raises(Disconnected, match="the reason"):
            await reading
        with pytest.raises(Disconnected, match="the reason"):
            ours.write(b"x")


async def test_a_stream_past_its_byte_budget_ends() -> None:
    async with stream(Meter(3)) as (ours, peer):
        ours.write(b"abc")
        assert await receive(peer) == b"abc"
        ours.write(b"d")
        with pytest.raises(Disconnected, match="budget is used up"):
            await ours.read()
        assert ours.over_budget
        assert await receive(peer) == b""


async def test_a_chunk_past_the_budget_is_cut_at_the_byte() -> None:
    async with stream(Meter(5)) as (origin, origins_peer):
        origins_peer.send(b"abcdefgh")
        assert await origin.read() == b"abcde"
        with pytest.raises(Disconnected, match="budget is used up"):
            await origin.read()
    async with stream(Meter(5)) as (origin, origins_peer), stream() as (runner, runners_peer):
        runner.splice(origin)
        origins_peer.send(b"abcdefgh")
        assert await receive(runners_peer) == b"abcde"
        assert await receive(runners_peer) == b""


async def test_a_dependent_ends_with_the_stream_within_the_context_only() -> None:
    async with stream() as (runner, runners_peer), stream() as (origin, origins_peer):
        with runner.ending(origin):
            pass
        with runner.ending(origin):
            runners_peer.shutdown(socket.SHUT_WR)
            assert await receive(origins_peer) == b""
        async with asyncio.timeout(5):
            await origin.gone()


async def test_spliced_streams_forward_what_had_arrived_and_both_ends() -> None:
    async with stream() as (one, ones_peer), stream() as (two, twos_peer):
        ones_peer.send(b"early")
        while one.quiet:  # noqa: ASYNC110 - until the loop has read it
            await asyncio.sleep(0)
        one.splice(two)
        assert await receive(twos_peer) == b"early"
        twos_peer.send(b"back")
        assert await receive(ones_peer) == b"back"
        twos_peer.shutdown(socket.SHUT_WR)
        assert await receive(ones_peer) == b""
        ones_peer.send(b"last")
        assert await receive(twos_peer) == b"last"


async def test_finish_waits_for_the_other_side_and_no_longer_than_it_may() -> None:
    async with stream() as (ours, peer):
        ours.write(b"answer")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await ours.finish(0.05)
        assert 0.04 <= loop.time() - began < 2
        assert await receive(peer) == b"answer"


async def test_gone_is_told_once() -> None:
    told: list[str] = []
    async with stream() as (ours, _):
        ours.on_gone(lambda: told.append("gone"))
        ours.abort("x")
        await ours.gone()
        await asyncio.sleep(0)
    assert told == ["gone"]
