"""A handler's progress is told and its requests are answered at the same time, until its attempt ends."""

import asyncio
from typing import Any

from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.dispatch.module_calls import serve_module_calls
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages


class QueueOfModuleCalls:
    """A settlement and a runner. A side effect is recorded only once a step was told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.answers: asyncio.Queue[m.OnceAnswer] = asyncio.Queue()

    async def progress(self, attempt: Any, step: StepRecord) -> None:
        self.told.set()

    async def once(self, attempt: Any, request: m.OnceRequest) -> OnceReply:
        await self.told.wait()
        return OnceReply("begun")

    async def answer(self, page: PageReservation, answer: m.OnceAnswer) -> None:
        self.answers.put_nowait(answer)


async def test_both_are_served_until_the_attempt_ends() -> None:
    queue = QueueOfModuleCalls()
    page = PageReservation(any_typed(queue), RunnerPages(lambda: None), exclusive=False)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_module_calls(page, any_typed(None), any_typed(queue)))
        tell_page(page, m.OnceRequest(attempt_id="a", number=1, key="order", act="begin"), [])
        tell_page(page, m.StepReport(attempt_id="a", number=1, text="x", at_seconds=0), [])
        assert (await queue.answers.get()).state == "begun"
        page.end(m.Done(attempt_id="a", outcome="succeeded"))
        await serving
