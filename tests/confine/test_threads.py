"""Threads of the process, and subprocesses of asyncio without any."""

import asyncio
import threading

from pw_sandbox.confined_child import run

from pageworker_sandbox.confine import threads


def test_every_thread_is_counted() -> None:
    before, done = threads.count(), threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert threads.count() == before + 1
    done.set()
    thread.join()


async def test_the_watcher_can_be_set_in_a_running_loop() -> None:
    threads.watch_children_without_threads()
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0


def test_a_subprocess_of_asyncio_starts_no_thread() -> None:
    code = """
import asyncio
from pageworker_sandbox.confine import threads
async def main():
    threads.watch_children_without_threads()
    process = await asyncio.create_subprocess_exec("sleep", "0.2")
    count = threads.count()
    await process.wait()
    return count
answer = asyncio.run(main())
"""
    assert run(code) == 1
