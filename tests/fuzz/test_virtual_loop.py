"""Time without waiting, and what an input leaves behind."""

import asyncio
import time

import pytest

from fuzz.memory_transport import MemoryTransport, PeerEnd, PeerScript
from fuzz.virtual_loop import NothingWakesIt, VirtualLoop
from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.stream import Stream


def test_an_hour_takes_no_time() -> None:
    loop = VirtualLoop()
    before = time.monotonic()

    async def wait() -> float:
        began = loop.time()
        async with asyncio.timeout(7200):
            await asyncio.sleep(3600)
        return loop.time() - began

    assert loop.run_to_end(wait()) == pytest.approx(3600)
    assert time.monotonic() - before < 5
    loop.close()


def test_a_task_that_nothing_wakes_is_told_and_ended() -> None:
    loop = VirtualLoop()

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingWakesIt):
        loop.run_to_end(wait())
    assert loop.run_to_end(asyncio.sleep(1, "the next input")) == "the next input"
    loop.close()


def test_timers_that_are_left_are_told() -> None:
    loop = VirtualLoop()

    async def leave() -> None:
        loop.call_later(5, print)

    with pytest.raises(AssertionError, match="left behind"):
        loop.run_to_end(leave())
    loop.run_to_end(asyncio.sleep(0))
    loop.close()


async def _read_all(loop: VirtualLoop, script: PeerScript, write: bytes = b"") -> tuple[bytes, bytes]:
    stream = Stream(1000)
    transport = MemoryTransport(loop, stream, script)
    stream.connection_made(transport)
    if write:
        stream.write(write)
    read = b""
    try:
        async with asyncio.timeout(10):
            while data := await stream.read():
                read += data
    except TimeoutError:
        read += b", then it stays"
    except Disconnected as error:
        read += f", then {error}".encode()
    stream.abort("the end")
    await stream.gone()
    return read, bytes(transport.received)


@pytest.mark.parametrize(
    ("end", "waits", "write", "expected"),
    [
        (PeerEnd.CLOSES_ITS_HALF, False, b"", b"abc"),
        (PeerEnd.CLOSES_ITS_HALF, True, b"ask", b"abc"),
        (PeerEnd.CLOSES_ITS_HALF, True, b"", b", then it stays"),
        (PeerEnd.RESETS, False, b"", b"abc, then reset by the peer"),
        (PeerEnd.STAYS, False, b"", b"abc, then it stays"),
    ],
)
def test_a_peer_follows_its_script(end: PeerEnd, waits: bool, write: bytes, expected: bytes) -> None:
    loop = VirtualLoop()
    script = PeerScript((b"ab", b"c"), end, waits)
    assert loop.run_to_end(_read_all(loop, script, write)) == (expected, write)
    loop.close()


def test_a_peer_that_never_reads_stops_the_writer() -> None:
    loop = VirtualLoop()

    async def write() -> bool:
        stream = Stream(1000)
        stream.connection_made(MemoryTransport(loop, stream, PeerScript((), PeerEnd.NEVER_READS, waits=False)))
        stream.write(bytes(2000))
        try:
            async with asyncio.timeout(1):
                await stream.drain()
        except TimeoutError:
            return stream.stuck
        finally:
            stream.abort("the end")
            await stream.gone()
        return False

    assert loop.run_to_end(write())
    loop.close()
