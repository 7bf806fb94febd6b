"""Tells the queue the newest step of an attempt while it runs, not more often than a bound permits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pageworker_sandbox.wire.messages import StepReport
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.step_log import step_record

PROGRESS_SECONDS = 1.0
"""Between two steps that are told. Of those that come meanwhile, the newest is told."""


async def tell_progress(
    page: PageReservation, tell: Callable[[StepRecord], Awaitable[None]], seconds: float = PROGRESS_SECONDS
) -> None:
    """Tell steps until the attempt has ended. The result has all of them."""
    told: list[StepReport] = []
    while True:
        await page.until(lambda: page.steps.newest not in (None, *told) or page.done.done())
        newest = page.steps.newest
        if newest is None or page.done.done():
            return
        told[:] = [newest]
        await tell(step_record(newest, page.started_at, page.masker))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await page.until(page.done.done)
