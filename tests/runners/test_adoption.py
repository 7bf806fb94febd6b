"""Who waits for an adoption, and how it ends."""

import asyncio

import pytest

from pageworker_supervisor.runners.adoption import Adoption
from pageworker_supervisor.runners.errors import RunnerLost


async def test_a_runner_that_was_started_for_its_context_has_nothing_to_wait_for() -> None:
    adoption = Adoption()
    await adoption.settled()
    adoption.lose("it is gone")
    await adoption.settled()


async def test_jobs_wait_until_the_spare_belongs_to_its_tenant() -> None:
    adoption = Adoption()
    adoption.begin()
    assert adoption.begun.is_set()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(adoption.settled())
        await asyncio.sleep(0)
        assert not waiting.done()
        adoption.finish()
    adoption.lose("too late to matter")
    await adoption.settled()


async def test_a_job_that_stops_to_wait_does_not_end_the_adoption() -> None:
    adoption = Adoption()
    adoption.begin()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(adoption.settled())
        await asyncio.sleep(0)
        waiting.cancel()
    adoption.finish()
    await adoption.settled()


async def test_a_spare_that_is_lost_charges_no_job() -> None:
    adoption = Adoption()
    adoption.begin()
    adoption.lose("killed")
    with pytest.raises(RunnerLost, match="killed") as lost:
        await adoption.settled()
    assert not lost.value.charged
