"""Calls of Playwright's client that a module must not make are stopped before any code of the client runs.

The command recorder sees a command on its way to the driver. That is too late for these: by then the client has marked
the browser context as closing, or has set the timeouts of all pages to 0, for every later job of the runner.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from playwright.async_api import Page

from pageworker_runner.errors import CallRefused
from pageworker_runner.pages.command_recorder import CommandRecorder
from pageworker_runner.pages.playwright_internals.client_errors import closed_error
from pageworker_runner.pages.playwright_internals.client_methods import (
    Method,
    intercept_driver_start,
    intercept_method,
    intercept_pages,
)
from pageworker_runner.pages.playwright_internals.client_objects import client_requests
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import end_waits
from pageworker_runner.pages.recent_requests import RecentRequests
from pageworker_runner.pages.refused_calls import refusal
from pageworker_runner.task_ownership import CURRENT_ATTEMPT, OWN_WORK, own_work

CLOSING = (
    ("BrowserContext", "close", "BrowserContext"),
    ("Browser", "close", "BrowserContext"),
    ("APIRequestContext", "dispose", "APIRequestContext"),
)
"""Type, method, what it closes. The runner owns it, and ported scripts close it at their end: it is closed for the job
that asks, and for no other."""

REFUSED: dict[str, tuple[str, ...]] = {
    "APIRequest": ("new_context",),
    "Browser": (
        "bind",
        "new_browser_cdp_session",
        "new_context",
        "new_page",
        "start_tracing",
        "stop_tracing",
        "unbind",
    ),
    "BrowserType": ("connect", "connect_over_cdp", "launch", "launch_persistent_context"),
}
"""Methods of the client whose commands are refused (side_effects.py has the commands)."""

LEFT_IN = "page.pause does nothing in a job, which has no inspector. Remove the call"


def install(
    recorder: CommandRecorder,
    is_visible: Callable[[str, str], bool],
    pages_of: Callable[[str], list[Page]],
    requests: RecentRequests,
    warn: Callable[[str], None],
) -> None:
    """Guard the client, for the rest of the process.

    `is_visible(guid, attempt)`: whether the page belongs to the attempt. A module finds no other one in
    `page.context.pages`: a loop that closes all pages closes its own. `pages_of(attempt)` are these pages.
    `requests` has the requests of the attempts' pages.
    `warn(text)` writes into the log of the attempt that runs now.
    """
    for type, method, closed in CLOSING:
        intercept_method(type, method, partial(_closing, recorder, pages_of, closed))
    for type, methods in REFUSED.items():
        for method in methods:
            intercept_method(type, method, partial(_refused, f"{type}.{method}"))
    intercept_method("Page", "pause", partial(_pausing, recorder, warn))
    intercept_method("Page", "requests", partial(_requests, recorder, requests))
    intercept_driver_start(_no_second_driver)
    intercept_pages(lambda guid: _is_shown(guid, recorder, is_visible))


def _closing(recorder: CommandRecorder, pages_of: Callable[[str], list[Page]], type: str, plain: Method) -> Method:
    async def close(owner: Any, reason: str | None) -> Any:
        if OWN_WORK.get():
            return await plain(owner, reason=reason)
        attempt_id = recorder.close_for_caller(type, reason)
        if type == "BrowserContext":
            for page in pages_of(attempt_id):
                end_waits(page, closed_error(reason))
        return None

    return close


def _pausing(recorder: CommandRecorder, warn: Callable[[str], None], plain: Method) -> Method:
    """As in a headless browser without an inspector: the call returns, and all timeouts are as before.

    Meanwhile the client's own method sets the timeouts of all pages to 0.
    """

    async def pause(page: Any) -> None:
        if OWN_WORK.get():
            await plain(page)
            return
        recorder.check_call(page, "pause")
        warn(LEFT_IN)
        # A loop around the call must not stop the other jobs.
        await asyncio.sleep(0)

    return pause


def _requests(recorder: CommandRecorder, recent: RecentRequests, plain: Method) -> Method:
    async def requests(page: Any) -> Any:
        if OWN_WORK.get():
            return await plain(page)
        attempt_id = recorder.check_call(page, "requests")
        if not recorder.is_pooled(page):
            # The attempt has opened it: the driver's list of it has no others.
            with own_work():
                return await plain(page)
        if page.is_closed():
            raise closed_error(None)
        kept = recent.of(attempt_id)
        if kept is None:
            raise CallRefused(refusal("Page.requests"))
        return client_requests(kept)

    return requests


def _refused(command: str, plain: Method) -> Method:
    async def refuse(*arguments: Any, **named: Any) -> Any:
        if OWN_WORK.get():
            return await plain(*arguments, **named)
        raise CallRefused(refusal(command))

    return refuse


async def _no_second_driver(*arguments: Any) -> None:
    raise CallRefused("A module must not start Playwright: use the page that its handler gets.")


def _is_shown(guid: str, recorder: CommandRecorder, is_visible: Callable[[str, str], bool]) -> bool:
    attempt_id = CURRENT_ATTEMPT.get()
    if attempt_id is None or OWN_WORK.get():
        return True
    return is_visible(guid, attempt_id) and not recorder.has_closed_context(attempt_id)
