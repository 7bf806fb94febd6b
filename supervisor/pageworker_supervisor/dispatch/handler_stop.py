"""Stops the handler of an attempt: when its time is over, when it is told to, when its egress budget is used up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.runners.page_reservation import PageReservation

StopOutcome = Literal["timed_out", "cancelled"]
Stop = Callable[[StopOutcome], Awaitable[None]]
CUT_SECONDS = 0.8
"""From the cut of an attempt to its end. The runner may answer within this time, with the failure artifacts that it has
until then. The result of the job is there within a second."""


async def stop_handler(
    page: PageReservation, attempt_id: str, job: JobRef, outcome: StopOutcome, grace_seconds: float
) -> None:
    """Have the runner stop the handler. Kill the runner if it does not answer within `grace_seconds`."""
    if page.done.done():
        return
    await page.runner.cancel(attempt_id, outcome)
    await asyncio.wait([page.done], timeout=grace_seconds)
    if not page.done.done():
        page.end(m.Done(attempt_id=attempt_id, outcome=outcome))
        page.runner.kill(f"job {job} did not stop when told to", charged=False)


async def answer_in_time(
    page: PageReservation, message: m.Run, bundle: VerifiedBundle, grace_seconds: float, stop: Stop
) -> m.Done:
    """Run the attempt, and have its answer. Raises RunnerLost. `stop`: called if the runner does not answer in time."""
    try:
        async with asyncio.timeout(message.timeout_seconds + grace_seconds):
            return await page.runner.run(page, message, bundle)
    except TimeoutError:
        # The runner counts the time budget itself. It does not answer, so it cannot.
        await stop("timed_out")
        return await page.done


async def end_past_budget(
    page: PageReservation, attempt_id: str, told_to: Callable[[], StopOutcome | None], grace_seconds: float
) -> None:
    """Return when the attempt has ended. If its job wants more than its egress budget, the attempt ends within
    CUT_SECONDS, whatever its module does.

    `told_to`: what `stop_handler` was called for; then that call ends the attempt. The runner has `grace_seconds` to
    answer. The watchdog kills a runner that does not.
    """
    await page.until(lambda: page.past_budget or page.done.done())
    if page.done.done() or told_to() is not None:
        return
    page.log.info("job is past its egress budget, its handler is stopped")
    # Any outcome but `cancelled`: a cancellation of the job holds, this one becomes `egress_budget`.
    await page.runner.cancel(attempt_id, "timed_out")
    await asyncio.wait([page.done], timeout=CUT_SECONDS)
    late = m.Done(attempt_id=attempt_id, outcome="timed_out", ran_seconds=time.monotonic() - page.began_at)
    page.end_unanswered(late, grace_seconds - CUT_SECONDS)
