"""Runs a module's code on a page until it returns, raises, or is stopped. What comes out is a verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from pageworker import Context, Helpers
from pageworker_runner import attempt_result
from pageworker_runner.attempt_result import AttemptResult
from pageworker_runner.errors import BrowserLost, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.entrypoint import ModuleEntrypoint
from pageworker_runner.pages.playwright_internals import is_closed_error
from pageworker_runner.reporting.error_text import words
from pageworker_runner.task_ownership import Tasks

ForcedResult = asyncio.Future[AttemptResult]
"""How an attempt ends if not by its own code: cancelled, page crashed, browser lost."""

CRASH_GRACE_SECONDS = 1.0
"""A call that finds its page gone may be told so before the event that says why."""


@dataclass(frozen=True)
class HandlerCall:
    """What a handler is called with."""

    entry: ModuleEntrypoint
    label: str
    page: Page
    payload: dict[str, Any]
    helpers: Helpers
    context: Context
    refusal: Callable[[], str | None]
    """What the egress gateway said to the page's last navigation, if it refused it."""


@dataclass(frozen=True)
class HandlerReturn:
    """What the module's code came to: a value, or what it raised."""

    value: object = None
    error: BaseException | None = None


async def handle(work: HandlerCall, fate: ForcedResult, tasks: Tasks) -> tuple[AttemptResult, bool]:
    """The verdict, and whether the code really ended: False where it swallowed its cancellation."""
    task = tasks.spawn(_steps(work))
    either: set[asyncio.Future[Any]] = {task, fate}
    await asyncio.wait(either, timeout=work.context.remaining_seconds(), return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=LIMITS.handler_grace_seconds)
        if fate.done():
            return fate.result(), task.done()
        return attempt_result.cut("timed_out"), task.done()
    ended = task.result()
    if ended.error is None:
        return attempt_result.returned(ended.value, work.label), True
    if _may_be_a_crash(ended.error) and not fate.done():
        await asyncio.wait({fate}, timeout=CRASH_GRACE_SECONDS)
    if fate.done():
        return fate.result(), True
    return attempt_result.raised(ended.error, work.label, work.refusal()), True


def _may_be_a_crash(error: BaseException) -> bool:
    """A navigation that kills its renderer is aborted first."""
    return is_closed_error(error) or "net::ERR_ABORTED" in words(error)


async def _steps(work: HandlerCall) -> HandlerReturn:
    arguments = (work.helpers, work.context)
    entry = work.entry
    try:
        if entry.before_job is not None:
            await entry.before_job(work.page, work.payload, *arguments)
        result = await entry.handler(work.page, work.payload, *arguments)
        if entry.after_job is not None:
            await entry.after_job(work.page, result, *arguments)
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises, sys.exit() too, is its verdict
        return HandlerReturn(error=error)
    return HandlerReturn(value=result)


def crashed() -> AttemptResult:
    """The attempt's page died."""
    return attempt_result.raised(PageLost("the page's renderer crashed"), "")


def browser_lost() -> AttemptResult:
    """Chromium or the driver died."""
    return attempt_result.raised(BrowserLost("the browser went away"), "")
