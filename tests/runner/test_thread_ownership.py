"""Threads and calls of pools belong to the attempt whose code started them, and are named if they outlive it."""

import _thread
import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from pageworker_runner.task_ownership import CURRENT_ATTEMPT, own_work
from pageworker_runner.thread_ownership import Threads

GRACE = 30.0


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    start, submit, start_new = threading.Thread.start, ThreadPoolExecutor.submit, _thread.start_new_thread
    owned = Threads()
    owned.install()
    owned.begin("a-1")
    owned.begin("a-2")
    yield owned
    setattr(threading.Thread, "start", start)  # noqa: B010 - mypy refuses to assign to a method
    setattr(ThreadPoolExecutor, "submit", submit)  # noqa: B010 - as above
    vars(_thread).update(start_new_thread=start_new, start_new=start_new)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What the threads of a test wait for."""
    event = threading.Event()
    yield event
    event.set()


@contextmanager
def attempt(attempt_id: str) -> Iterator[None]:
    """As the code of a module."""
    token = CURRENT_ATTEMPT.set(attempt_id)
    try:
        yield
    finally:
        CURRENT_ATTEMPT.reset(token)


def a_thread(release: threading.Event) -> None:
    threading.Thread(target=release.wait, name="left").start()


def a_thread_of_a_thread(release: threading.Event) -> None:
    outer = threading.Thread(target=lambda: a_thread(release), name="outer")
    outer.start()
    outer.join()


def a_timer(release: threading.Event) -> None:
    timer = threading.Timer(0, release.wait)
    timer.name = "left"
    timer.start()


def a_function(release: threading.Event) -> None:
    def left() -> None:
        release.wait()

    _thread.start_new_thread(left, ())


def a_call_in_a_pool(release: threading.Event) -> None:
    def left() -> None:
        release.wait()

    ThreadPoolExecutor(1).submit(left)


def a_thread_of_a_call(release: threading.Event) -> None:
    ThreadPoolExecutor(1).submit(a_thread, release).result()


def a_call_by_asyncio(release: threading.Event) -> None:
    def left() -> None:
        release.wait()

    asyncio.get_running_loop().run_in_executor(None, left)


@pytest.mark.parametrize(
    "start",
    [
        a_thread,
        a_thread_of_a_thread,
        a_timer,
        a_function,
        a_call_in_a_pool,
        a_thread_of_a_call,
        a_call_by_asyncio,
    ],
)
async def test_what_lives_on_is_named(
    threads: Threads, release: threading.Event, start: Callable[[threading.Event], None]
) -> None:
    with attempt("a-1"):
        start(release)
    assert threads.any_left("a-1")
    assert not threads.any_left("a-2")
    (name,) = await threads.end("a-1", grace_seconds=0.01)
    assert "left" in name
    assert await threads.end("a-2", GRACE) == []


@pytest.mark.parametrize("start", [a_thread, a_function, a_call_in_a_pool, a_call_by_asyncio])
async def test_what_ends_soon_is_waited_for(
    threads: Threads, release: threading.Event, start: Callable[[threading.Event], None]
) -> None:
    with attempt("a-1"):
        start(release)
    asyncio.get_running_loop().call_later(0.05, release.set)
    assert await threads.end("a-1", GRACE) == []


async def test_idle_threads_of_pools_do_not_count(threads: Threads) -> None:
    own = ThreadPoolExecutor(2)
    with attempt("a-1"):
        assert await asyncio.to_thread(lambda: CURRENT_ATTEMPT.get()) == "a-1"
        assert own.submit(lambda: CURRENT_ATTEMPT.get()).result() == "a-1"
    assert await threads.end("a-1", GRACE) == []
    with attempt("a-2"):
        assert own.submit(lambda: CURRENT_ATTEMPT.get()).result() == "a-2"
    own.shutdown()


async def test_a_call_that_waits_for_a_thread_is_forgotten(threads: Threads, release: threading.Event) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(release.wait)
    with attempt("a-1"):
        waiting = pool.submit(print)
    assert await threads.end("a-1", GRACE) == []
    assert waiting.cancelled()


async def test_a_loop_that_lives_on_is_ended(threads: Threads) -> None:
    def spin() -> None:
        while True:
            pass

    with attempt("a-1"):
        thread = threading.Thread(target=spin, name="spins", daemon=True)
        thread.start()
    assert await threads.end("a-1", grace_seconds=0.01) == ["spins"]
    await asyncio.to_thread(thread.join, GRACE)
    assert not thread.is_alive()


async def test_no_thread_starts_after_its_attempt(threads: Threads) -> None:
    await threads.end("a-1", GRACE)
    with attempt("a-1"):
        for start in (lambda: threading.Thread(target=print).start(), lambda: ThreadPoolExecutor(1).submit(print)):
            with pytest.raises(RuntimeError, match="its attempt has ended"):
                start()


async def test_threads_of_the_runner_do_not_count(threads: Threads, release: threading.Event) -> None:
    a_thread(release)
    with attempt("a-1"), own_work():
        a_thread(release)
    assert await threads.end("a-1", GRACE) == []


async def test_a_thread_that_does_not_start_does_not_count(threads: Threads) -> None:
    def refused(*_: Any) -> None: ...

    with attempt("a-1"):
        thread = threading.Thread(target=refused)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()
    assert await threads.end("a-1", GRACE) == []
