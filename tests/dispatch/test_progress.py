"""Steps are told to the queue while an attempt runs, not more often than the bound permits."""

import asyncio
import time

from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.dispatch.progress import tell_progress
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages

DONE = m.Done(attempt_id="a", outcome="succeeded")


class ToldSteps:
    """A page whose steps are told."""

    def __init__(self) -> None:
        self.page = PageReservation(any_typed(None), RunnerPages(lambda: None), exclusive=False)
        self.told: asyncio.Queue[StepRecord] = asyncio.Queue()
        self.answers = True

    def step(self, number: int) -> None:
        report = m.StepReport(attempt_id="a", number=number, text=f"step {number}", at_seconds=0)
        tell_page(self.page, report, [])

    async def tell(self, step: StepRecord) -> None:
        self.told.put_nowait(step)


async def test_the_first_is_told_at_once_and_then_the_newest_of_each_period() -> None:
    it = ToldSteps()
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        telling = tasks.create_task(tell_progress(it.page, it.tell, 0.05))
        it.step(1)
        assert (await it.told.get()).number == 1
        since = time.monotonic()
        it.step(2)
        it.step(3)
        assert (await it.told.get()).number == 3
        assert time.monotonic() - since >= 0.045
        it.page.end(DONE)
        await telling
    assert it.told.empty()


async def test_an_attempt_that_ends_tells_nothing_more_and_does_not_wait() -> None:
    it = ToldSteps()
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        telling = tasks.create_task(tell_progress(it.page, it.tell, 60))
        it.step(1)
        await it.told.get()
        it.step(2)
        it.page.end(DONE)
        await telling
    assert it.told.empty()
