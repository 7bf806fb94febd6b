"""A handler may begin until it is stopped and until its time is over. Both end a wait at once."""

import asyncio
from collections.abc import Awaitable

import pytest

from pageworker_supervisor.dispatch.begin_guard import BeginGuard, ImpossibleOutcome, NotBegun, begun_outcome
from pageworker_supervisor.queue.claim import boot_seconds


async def waits(guard: BeginGuard, seconds: float = 10.0) -> None:
    async with guard.waiting():
        await asyncio.sleep(seconds)


async def test_it_may_as_long_as_nothing_is_said() -> None:
    guard = BeginGuard(None)
    await waits(guard, 0.0)
    guard.check()


async def test_a_stop_ends_the_wait_at_once() -> None:
    guard = BeginGuard(boot_seconds() + 60)
    async with asyncio.timeout(1), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_status(waits(guard)))
        await asyncio.sleep(0.01)
        guard.stop()
        guard.stop()
        assert await waiting == "cancelled"
    with pytest.raises(NotBegun, match="cancelled"):
        guard.check()
    assert await _status(waits(guard, 0.0)) == "cancelled", "nor is anything begun later"


async def test_its_time_ends_the_wait() -> None:
    guard = BeginGuard(boot_seconds() + 0.05)
    async with asyncio.timeout(1):
        assert await _status(waits(guard)) == "expired"
    with pytest.raises(NotBegun, match="expired"):
        guard.check()


async def test_a_time_that_is_over_already() -> None:
    assert await _status(waits(BeginGuard(boot_seconds() - 5), 0.0)) == "expired"


async def test_a_time_out_of_what_it_waits_for_is_its_own() -> None:
    with pytest.raises(TimeoutError):
        async with BeginGuard(boot_seconds() + 60).waiting():
            raise TimeoutError


async def test_a_cancelled_task_is_cancelled() -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(waits(BeginGuard(None)))
        await asyncio.sleep(0)
        waiting.cancel()
    assert waiting.cancelled()


async def _status(waiting: Awaitable[None]) -> str:
    try:
        await waiting
    except NotBegun as not_begun:
        return not_begun.status
    return "begun"


def test_a_handler_that_did_not_begin_was_cancelled_or_has_expired() -> None:
    for reported in ("cancelled", "expired"):
        with pytest.raises(NotBegun) as caught:
            begun_outcome(reported, begun=False, may_expire=True)
        assert caught.value.status == reported
    assert begun_outcome("failed", begun=False, may_expire=False) == "failed"
    assert begun_outcome("cancelled", begun=True, may_expire=False) == "cancelled"


def test_a_runner_cannot_report_that_an_attempt_expired_which_has_begun_or_does_not_expire() -> None:
    for begun, may_expire in ((True, True), (False, False)):
        with pytest.raises(ImpossibleOutcome):
            begun_outcome("expired", begun=begun, may_expire=may_expire)
