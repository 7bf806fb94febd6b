"""Forwarding between two streams, by this process and by the kernel: bytes, counts, budgets and ends."""

import asyncio
import os
import socket
from collections.abc import Awaitable
from contextlib import suppress

import pytest
from pw_egress.tcp import MEBI, received, tcp_stream

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.forwarder import LARGE_BYTES
from pageworker_sandbox.egress.kernel_splice import SpliceSlots
from pageworker_sandbox.egress.meter import Meter

DATA = os.urandom(4 * MEBI)
MANY = DATA * 4
"""More than the kernel holds for a reader that does not read."""


async def sent(sock: socket.socket, data: bytes) -> None:
    """Send all, or as much as the other side takes before it resets the connection."""
    with suppress(ConnectionError):
        await asyncio.get_running_loop().sock_sendall(sock, data)


async def broken_off(pouring: Awaitable[None]) -> str:
    """Why a body was not poured."""
    with pytest.raises(Disconnected) as raised:
        await pouring
    return str(raised.value)


async def test_a_large_transfer_goes_through_the_kernel_and_its_end_as_usual() -> None:
    slots, meter = SpliceSlots(1), Meter()
    async with tcp_stream() as (runner, browser), tcp_stream(meter) as (origin, host):
        runner.splice(origin, slots)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(host, DATA))
            got = await received(browser, MEBI)
            assert not slots.take(), "the kernel forwards"
            browser.send(b"meanwhile")
            assert await received(host, 9) == b"meanwhile"
            got += await received(browser, len(DATA) - MEBI)
        assert got == DATA
        host.shutdown(socket.SHUT_WR)
        assert await received(browser, 1) == b""
        assert slots.take(), "it is given back"
        browser.send(b"last")
        assert await received(host, 4) == b"last"
        assert (meter.usage(0).up_bytes, meter.usage(0).down_bytes) == (13, len(DATA))


async def test_after_an_urgent_byte_the_kernel_forwards_no_more_of_it() -> None:
    """The kernel would make no progress at one, and be asked for ever. Read here, it is left out, as in every read."""
    slots = SpliceSlots(1)
    async with tcp_stream() as (runner, browser), tcp_stream() as (origin, host):
        runner.splice(origin, slots)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(host, DATA))
            got = await received(browser, MEBI)
            assert not slots.take(), "the kernel forwards"
            got += await received(browser, len(DATA) - MEBI)
            host.send(b"!", socket.MSG_OOB)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(host, DATA))
            got += await received(browser, len(DATA))
        assert got == DATA * 2
        assert slots.take(), "it is given back, and not taken again"


async def test_uploads_do_as_well() -> None:
    slots, meter = SpliceSlots(1), Meter()
    async with tcp_stream() as (runner, browser), tcp_stream(meter) as (origin, host):
        runner.splice(origin, slots)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(browser, DATA))
            got = await received(host, MEBI)
            assert not slots.take()
            got += await received(host, len(DATA) - MEBI)
        assert got == DATA
        assert meter.usage(0).up_bytes == len(DATA)


@pytest.mark.parametrize("free", [0, 1])
async def test_the_budget_cuts_at_the_byte_in_both_ways(free: int) -> None:
    meter = Meter(3 * MEBI + 11)
    async with tcp_stream() as (runner, browser), tcp_stream(meter) as (origin, host):
        runner.splice(origin, SpliceSlots(free))
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(sent(host, DATA))
            assert await received(browser, len(DATA)) == DATA[: 3 * MEBI + 11]
            sending.cancel()
        assert origin.over_budget
        assert meter.usage(0).down_bytes == 3 * MEBI + 11


async def test_nothing_passes_after_an_abort() -> None:
    async with tcp_stream() as (runner, browser), tcp_stream() as (origin, host):
        runner.splice(origin, slots := SpliceSlots(1))
        await sent(host, DATA[: 2 * LARGE_BYTES])
        await received(browser, 2 * LARGE_BYTES)
        assert not slots.take()
        host.send(b"late")
        origin.abort("the policy changed")
        assert await received(browser, 1) == b""
        assert slots.take()


async def test_a_reset_in_a_large_transfer_ends_both() -> None:
    async with tcp_stream() as (runner, browser), tcp_stream() as (origin, host):
        runner.splice(origin, SpliceSlots(1))
        await sent(host, DATA[: 2 * LARGE_BYTES])
        await received(browser, 2 * LARGE_BYTES)
        host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        host.close()
        assert await received(browser, 1) == b""
        with pytest.raises(Disconnected, match="reset"):
            await origin.read()


@pytest.mark.parametrize("size", [1, LARGE_BYTES, 3 * MEBI])
async def test_a_body_is_poured_and_what_follows_is_kept(size: int) -> None:
    slots, meter = SpliceSlots(1), Meter()
    async with tcp_stream() as (runner, browser), tcp_stream(meter) as (origin, host):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(host, DATA))
            pouring = tasks.create_task(origin.pour(runner, size, slots))
            assert await received(browser, size) == DATA[:size]
            await pouring
            rest = b""
            while len(rest) < len(DATA) - size:
                rest += await origin.read()
        assert rest == DATA[size:]
        assert slots.take()
        assert meter.usage(0).down_bytes == len(DATA)
        runner.write(b"next")
        assert await received(browser, 4) == b"next"


@pytest.mark.parametrize("size", [1000, 2 * MEBI])
async def test_a_body_that_ends_early_is_no_whole_one(size: int) -> None:
    async with tcp_stream() as (runner, browser), tcp_stream() as (origin, host):
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(broken_off(origin.pour(runner, size + 1, SpliceSlots(1))))
            tasks.create_task(sent(host, DATA[:size])).add_done_callback(lambda _: host.shutdown(socket.SHUT_WR))
            assert await received(browser, size) == DATA[:size]
            assert await ending == "the connection ended"
        runner.write(b"still open")
        assert await received(browser, 10) == b"still open"


@pytest.mark.parametrize("free", [0, 1])
async def test_a_body_that_is_not_taken_ends(free: int) -> None:
    async with (
        tcp_stream() as (runner, browser),
        tcp_stream() as (origin, host),
        asyncio.TaskGroup() as tasks,
    ):
        sending = tasks.create_task(sent(host, MANY))
        ending = tasks.create_task(broken_off(origin.pour(runner, len(MANY), SpliceSlots(free))))
        assert await received(browser, MEBI) == MANY[:MEBI]
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        browser.close()
        assert await ending
        sending.cancel()


@pytest.mark.parametrize("free", [0, 1])
async def test_a_reader_that_stops_stops_the_source(free: int) -> None:
    async with tcp_stream() as (runner, browser), tcp_stream() as (origin, host):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sent(host, MANY))
            pouring = tasks.create_task(origin.pour(runner, len(MANY), SpliceSlots(free)))
            async with asyncio.timeout(30):
                while not runner.stuck:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.001)
            assert await received(browser, len(MANY)) == MANY
            await pouring
        assert not runner.stuck
