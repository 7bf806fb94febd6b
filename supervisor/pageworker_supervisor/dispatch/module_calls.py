"""Serves what a handler tells and asks the queue while it runs: its progress, and its side effects."""

from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.dispatch.once_requests import answer_once_requests
from pageworker_supervisor.dispatch.progress import tell_progress
from pageworker_supervisor.dispatch.running_calls import ClaimedJob, RunningCalls
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.runners.page_reservation import PageReservation


async def serve_module_calls(page: PageReservation, attempt: ClaimedJob, calls: RunningCalls) -> None:
    """Serve until the attempt has ended. The caller cancels what still waits for Redis then."""

    async def tell(step: StepRecord) -> None:
        await calls.progress(attempt, step)

    async def record(request: m.OnceRequest) -> OnceReply:
        return await calls.once(attempt, request)

    async with TaskGroup() as tasks:
        tasks.create_task(tell_progress(page, tell))
        tasks.create_task(answer_once_requests(page, record))
