"""Large transfers within the kernel: every byte once and in order, limits, and ends."""

import asyncio
import os
import socket
from collections.abc import Callable

import pytest
from pw_egress.tcp import MEBI, connected, received

from pageworker_sandbox.egress.kernel_splice import PIPE_BYTES, SMALL_PIECES, KernelSplice, SpliceEnd, SpliceSlots


class Transfer:
    """From `sender` through a splice to `receiver`."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        charge: Callable[[int], int] = lambda n: n,
        wanted: int | None = None,
    ) -> None:
        self.charged: list[int] = []
        self.ends: list[SpliceEnd] = []
        self.ended = asyncio.Event()
        self.rest = b""
        self._charge = charge
        self.splice = KernelSplice(source.fileno(), sink.fileno(), self._count, self._end, wanted)

    def _count(self, count: int) -> int:
        permitted = self._charge(count)
        self.charged.append(permitted)
        return permitted

    def _end(self, end: SpliceEnd) -> None:
        self.ends.append(end)
        self.rest += self.splice.stop()
        self.ended.set()

    async def stuck(self) -> None:
        """Wait until the receiver has read too little."""
        async with asyncio.timeout(30):
            while not self.splice.stuck:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.001)

    async def end(self) -> SpliceEnd:
        async with asyncio.timeout(30):
            await self.ended.wait()
        assert len(self.ends) == 1
        return self.ends[0]


async def test_every_byte_arrives_once_and_in_order_also_at_a_slow_reader() -> None:
    data = os.urandom(4 * MEBI)
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.get_running_loop().sock_sendall(sender, data))
            # Until both sides are full.
            await transfer.stuck()
            assert await received(receiver, len(data)) == data
        assert sum(transfer.charged) == len(data)
        sender.shutdown(socket.SHUT_WR)
        assert await transfer.end() == SpliceEnd()
        assert transfer.rest == b""


async def test_what_is_over_the_budget_does_not_pass() -> None:
    left = MEBI + 7

    def charge(count: int) -> int:
        nonlocal left
        permitted = min(count, left)
        left -= permitted
        return permitted

    data = os.urandom(2 * MEBI)
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink, charge)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(asyncio.get_running_loop().sock_sendall(sender, data))
            reading = tasks.create_task(received(receiver, MEBI - PIPE_BYTES))
            assert await transfer.end() == SpliceEnd(over_budget=True)
            got = await reading
            sink.setblocking(True)
            sink.sendall(transfer.rest)
            got += await received(receiver, MEBI + 7 - len(got))
            assert got == data[: MEBI + 7]
            sending.cancel()


async def test_no_more_than_wanted_is_read() -> None:
    data = os.urandom(2 * MEBI)
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink, wanted=MEBI + 5)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(asyncio.get_running_loop().sock_sendall(sender, data))
            assert await received(receiver, MEBI + 5) == data[: MEBI + 5]
            assert await transfer.end() == SpliceEnd()
            assert await received(source, 7) == data[MEBI + 5 : MEBI + 12]
            sending.cancel()


async def test_a_transfer_of_small_pieces_ends() -> None:
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink)
        for number in range(SMALL_PIECES + 1):
            assert not transfer.ends
            sender.send(bytes([number]))
            assert await received(receiver, 1) == bytes([number])
        assert await transfer.end() == SpliceEnd()


async def test_an_urgent_byte_ends_it() -> None:
    """splice(2) stops before one, and would be asked for ever: the source stays readable."""
    with connected() as (sender, source), connected() as (sink, _):
        transfer = Transfer(source, sink)
        sender.send(b"a" * 1000)
        sender.send(b"!", socket.MSG_OOB)
        sender.send(b"b" * 1000)
        assert await transfer.end() == SpliceEnd(unsuitable=True)
        assert sum(transfer.charged) <= 1000


async def test_the_side_that_broke_off_is_named() -> None:
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sender.close()
        assert "reset" in (await transfer.end()).source_error
    with connected() as (sender, source), connected() as (sink, receiver):
        transfer = Transfer(source, sink)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        receiver.close()
        sender.send(b"x" * 100)
        end = await transfer.end()
        assert (bool(end.sink_error), end.source_error) == (True, "")


async def test_a_stopped_transfer_leaves_no_descriptor_and_what_it_had_not_sent() -> None:
    with connected() as (sender, source), connected() as (sink, receiver):
        before = set(os.listdir("/proc/self/fd"))
        transfer = Transfer(source, sink)
        data = os.urandom(64 * MEBI)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(asyncio.get_running_loop().sock_sendall(sender, data))
            await transfer.stuck()
            rest = transfer.splice.stop()
            sending.cancel()
        assert 0 < len(rest) <= 4 * PIPE_BYTES
        assert transfer.splice.stop() == b""
        assert set(os.listdir("/proc/self/fd")) == before
        passed = await received(receiver, sum(transfer.charged) - len(rest))
        assert passed + rest == data[: len(passed) + len(rest)]


async def test_no_descriptors_are_kept_if_there_are_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(flags: int) -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    with connected() as (_, source), connected() as (sink, _):
        before = set(os.listdir("/proc/self/fd"))
        monkeypatch.setattr(os, "pipe2", fails)
        with pytest.raises(OSError, match="Too many"):
            Transfer(source, sink)
        assert set(os.listdir("/proc/self/fd")) == before


def test_slots_are_bounded() -> None:
    slots = SpliceSlots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give_back()
    assert slots.take()
    assert not slots.take()
