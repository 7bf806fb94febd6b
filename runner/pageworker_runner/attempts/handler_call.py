"""Calls a module's handler on a page until it returns, raises, or is stopped."""

import asyncio
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from pageworker import Context, Helpers
from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.errors import BrowserLost, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.entrypoint import ModuleEntrypoint
from pageworker_runner.pages.playwright_internals import is_closed_error
from pageworker_runner.reporting.error_text import text_of
from pageworker_runner.task_ownership import Tasks

CRASH_GRACE_SECONDS = 1.0
"""A call may fail on a crashed page before the event of the crash arrives."""


@dataclass(frozen=True)
class HandlerCall:
    """What a handler is called with."""

    entrypoint: ModuleEntrypoint
    label: str
    """`name@version`, for messages."""
    page: Page
    payload: dict[str, Any]
    helpers: Helpers
    context: Context


@dataclass(frozen=True)
class HandlerReturn:
    """What the module's code returned, or what it raised."""

    value: object = None
    error: BaseException | None = None


async def call_handler(
    call: HandlerCall, forced_result: asyncio.Future[AttemptResult], tasks: Tasks
) -> tuple[AttemptResult, bool]:
    """The attempt's result, and whether the module's code stopped: False if it suppressed its cancellation."""
    task = tasks.spawn(_run_hooks(call))
    first: set[asyncio.Future[Any]] = {task, forced_result}
    await asyncio.wait(first, timeout=call.context.remaining_seconds(), return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=LIMITS.handler_grace_seconds)
        if forced_result.done():
            return forced_result.result(), task.done()
        return attempt_result.stopped("timed_out"), task.done()
    ended = task.result()
    if ended.error is None:
        return attempt_result.returned(ended.value, call.label), True
    if _may_be_a_crash(ended.error) and not forced_result.done():
        await asyncio.wait({forced_result}, timeout=CRASH_GRACE_SECONDS)
    if forced_result.done():
        return forced_result.result(), True
    return attempt_result.raised(ended.error, call.label), True


def page_crashed() -> AttemptResult:
    """The result of an attempt whose page crashed."""
    return attempt_result.raised(PageLost("The page's renderer process crashed."), "")


def browser_lost() -> AttemptResult:
    """The result of an attempt whose browser ended."""
    return attempt_result.raised(BrowserLost("The browser ended while the job was running."), "")


def _may_be_a_crash(error: BaseException) -> bool:
    """A navigation that crashes its renderer fails as aborted first."""
    return is_closed_error(error) or "net::ERR_ABORTED" in text_of(error)


async def _run_hooks(call: HandlerCall) -> HandlerReturn:
    arguments = (call.helpers, call.context)
    entrypoint = call.entrypoint
    try:
        if entrypoint.before_job is not None:
            await entrypoint.before_job(call.page, call.payload, *arguments)
        result = await entrypoint.handler(call.page, call.payload, *arguments)
        if entrypoint.after_job is not None:
            await entrypoint.after_job(call.page, result, *arguments)
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises, sys.exit() too, is its result
        return HandlerReturn(error=error)
    return HandlerReturn(value=result)
