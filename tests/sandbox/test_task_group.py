"""A task whose group has failed uses timeouts as any other."""

import asyncio

import pytest
from repository.sources import relative, tracked

from pageworker_sandbox.task_group import TaskGroup


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise OSError("gone")


async def test_a_timeout_after_a_failed_group_ends_as_one() -> None:
    with pytest.raises(ExceptionGroup):
        async with TaskGroup() as tasks:
            tasks.create_task(fail_later())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_a_body_that_waits_is_cancelled_and_forgotten_too() -> None:
    with pytest.raises(ExceptionGroup):
        async with TaskGroup() as tasks:
            tasks.create_task(fail_later())
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_request_from_outside_stays() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        async with TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait())

    task = asyncio.create_task(wait())  # noqa: TID251 - the test cancels it
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert task.cancelling() == 1


async def test_a_group_that_succeeds_changes_nothing() -> None:
    async with TaskGroup() as tasks:
        child = tasks.create_task(asyncio.sleep(0, "done"))
    assert child.result() == "done"


def test_no_part_of_the_product_uses_that_of_asyncio() -> None:
    zones = ("supervisor", "sandbox", "profiles", "runner")
    files = [file for zone in zones for file in tracked(f"{zone}/**/*.py")]
    assert len(files) > 300
    assert [relative(file) for file in files if "asyncio.TaskGroup()" in file.read_text()] == []
