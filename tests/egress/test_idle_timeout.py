"""Idle timeouts: only a stream pair in which no byte moves is ended."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pageworker_sandbox.egress.idle_timeout import IdleTimeout, QuietTimeout
from pageworker_sandbox.egress.stream import Stream


@asynccontextmanager
async def stream() -> AsyncIterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, made = await asyncio.get_running_loop().create_connection(lambda: Stream(1024), sock=ours)
    with theirs:
        try:
            yield made, theirs
        finally:
            made.abort("the test has ended")
            await made.gone()


async def test_a_pair_in_which_nothing_moves_loses_its_origin_and_keeps_its_runner() -> None:
    async with stream() as (runner, _), stream() as (origin, _):
        with IdleTimeout(runner, origin, 0.05) as idle:
            async with asyncio.timeout(5):
                await origin.gone()
        assert idle.expired
        assert runner.open


async def test_a_runner_that_does_not_read_goes_too() -> None:
    async with stream() as (runner, _), stream() as (origin, _):
        runner.write(bytes(8 << 20))
        with IdleTimeout(runner, origin, 0.05):
            async with asyncio.timeout(5):
                await runner.gone()


async def test_a_byte_now_and_then_keeps_both() -> None:
    async with stream() as (runner, _), stream() as (origin, peer):
        with IdleTimeout(runner, origin, 0.2) as idle:
            for _ in range(8):
                await asyncio.sleep(0.05)
                peer.send(b"x")
                await origin.read()
        assert not idle.expired


async def test_after_the_context_nothing_is_ended() -> None:
    async with stream() as (runner, _), stream() as (origin, _):
        with IdleTimeout(runner, origin, 0.02):
            pass
        await asyncio.sleep(0.05)
        assert origin.open


async def test_a_quiet_tunnel_is_closed_only_after_bytes_of_the_origin() -> None:
    async with stream() as (runner, asking), stream() as (origin, answering):
        with QuietTimeout(runner, origin, 0.1):
            answering.send(b"an answer")
            await origin.read()
            asking.send(b"the next request")
            await runner.read()
            await asyncio.sleep(0.3)
            assert origin.open, "it may take long to answer"
            answering.send(b"the answer")
            async with asyncio.timeout(5):
                await origin.gone()
        assert runner.open


async def test_a_runner_that_still_reads_keeps_its_tunnel() -> None:
    async with stream() as (runner, _), stream() as (origin, answering):
        answering.send(b"x")
        await origin.read()
        runner.write(bytes(8 << 20))
        with QuietTimeout(runner, origin, 0.05):
            await asyncio.sleep(0.2)
        assert origin.open
