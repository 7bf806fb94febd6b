"""Tasks and callbacks belong to the attempt whose code created them, and end with it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pageworker_runner.task_ownership import (
    CURRENT_ATTEMPT,
    OWN_WORK,
    Callback,
    Tasks,
    attempt_of_error,
    own_work,
)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    errors: list[BaseException] = []
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        owned = Tasks(group, errors.append)
        owned.install(loop)
        yield owned
        loop.set_task_factory(None)
    assert errors == []


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def start_as(attempt_id: str, work: Any) -> asyncio.Task[Any]:
    """Start a task as a module's code does."""
    token = CURRENT_ATTEMPT.set(attempt_id)
    try:
        return asyncio.get_running_loop().create_task(work)
    finally:
        CURRENT_ATTEMPT.reset(token)


async def test_tasks_end_with_their_attempt_and_no_other(tasks: Tasks) -> None:
    for attempt_id in ("a-1", "a-2"):
        tasks.begin(attempt_id)
    first, second = await start_as("a-1", forever()), await start_as("a-2", forever())
    assert await tasks.end("a-1", grace_seconds=1)
    assert (first.cancelled(), second.done()) == (True, False)
    assert await tasks.end("a-2", grace_seconds=1)


async def test_a_task_that_a_task_starts_belongs_to_the_same_attempt(tasks: Tasks) -> None:
    tasks.begin("a-1")
    inner: list[asyncio.Task[None]] = []

    async def outer() -> None:
        inner.append(asyncio.get_running_loop().create_task(forever()))

    await (await start_as("a-1", outer()))
    assert await tasks.end("a-1", grace_seconds=1)
    assert inner[0].cancelled()


async def test_a_task_that_suppresses_its_cancellation_is_reported(tasks: Tasks) -> None:
    tasks.begin("a-1")
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = await start_as("a-1", stubborn())
    await asyncio.sleep(0)
    assert not await tasks.end("a-1", grace_seconds=0.01)
    release.set()
    await task


async def test_a_task_of_an_attempt_that_has_ended_is_cancelled_at_once(tasks: Tasks) -> None:
    tasks.begin("a-1")
    await tasks.end("a-1", grace_seconds=1)
    task = await start_as("a-1", forever())
    await asyncio.wait({task}, timeout=1)
    assert task.cancelled()


async def test_the_runners_own_work_in_an_attempts_task_does_not_end_with_the_attempt(tasks: Tasks) -> None:
    tasks.begin("a-1")
    with own_work():
        task = await start_as("a-1", asyncio.sleep(0.01, "done"))
    assert await tasks.end("a-1", grace_seconds=1)
    assert await task == "done"


async def test_an_error_of_the_runners_own_task_is_passed_on() -> None:
    errors: list[BaseException] = []

    async def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            Tasks(group, errors.append).spawn(fails())
    assert [str(error) for error in errors] == ["a bug"]


async def test_a_callback_runs_as_the_attempt_that_registered_it() -> None:
    seen: list[tuple[str | None, bool]] = []

    def handler() -> None:
        seen.append((CURRENT_ATTEMPT.get(), OWN_WORK.get()))

    token = CURRENT_ATTEMPT.set("a-1")
    callback = Callback(handler, handler)
    CURRENT_ATTEMPT.reset(token)
    with own_work():
        callback()
    assert seen == [("a-1", False)]
    assert CURRENT_ATTEMPT.get() is None


def test_callbacks_of_one_handler_are_equal_so_that_playwright_finds_the_one_to_remove() -> None:
    def handler() -> None: ...
    def other() -> None: ...

    assert Callback(handler, handler) == Callback(handler, other)
    assert hash(Callback(handler, handler)) == hash(Callback(handler, other))
    assert Callback(handler, handler) != Callback(other, handler)


async def test_an_error_of_a_callback_names_the_attempt_that_registered_it(tasks: Tasks) -> None:
    def fails() -> None:
        raise KeyError("price")

    async def fails_later() -> None:
        await asyncio.sleep(0)
        fails()

    tasks.begin("a-1")
    token = CURRENT_ATTEMPT.set("a-1")
    callbacks = [Callback(each, each) for each in (fails, fails_later)]
    CURRENT_ATTEMPT.reset(token)
    for callback in callbacks:
        with pytest.raises(KeyError) as caught:
            await callback()
        assert attempt_of_error(caught.value) == "a-1"
    assert attempt_of_error(KeyError("price")) is None
    assert await tasks.end("a-1", grace_seconds=1)
