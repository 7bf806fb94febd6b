"""The tail of an untrusted process's output: bounded, and its writer never waits for a reader."""

import asyncio
import os

from pageworker_sandbox.launch.output_tail import PIPE_BYTES, TAIL_BYTES, OutputTail


async def test_only_the_last_bytes_are_kept() -> None:
    read, write = os.pipe()
    tail = OutputTail(read)
    os.write(write, b"x" * TAIL_BYTES + b"the end")
    os.close(write)
    tail.drain()
    assert len(str(tail)) == TAIL_BYTES
    tail.close()


async def test_a_writer_that_floods_the_pipe_gets_on() -> None:
    read, write = os.pipe()
    tail = OutputTail(read)
    async with asyncio.timeout(20):
        await asyncio.to_thread(os.write, write, bytes(10 * PIPE_BYTES))
    os.close(write)
    tail.close()


async def test_bytes_that_are_no_text_do_no_harm() -> None:
    read, write = os.pipe()
    tail = OutputTail(read)
    os.write(write, b"\xff\xfeok")
    os.close(write)
    tail.drain()
    assert str(tail).endswith("ok")
    tail.close()


async def test_the_descriptor_is_closed_at_the_end_of_file_and_closing_again_is_harmless() -> None:
    read, write = os.pipe()
    tail = OutputTail(read)
    os.close(write)
    tail.drain()
    assert not os.path.exists(f"/proc/self/fd/{read}")  # noqa: PTH110 - a number, no path
    tail.close()
    tail.drain()
