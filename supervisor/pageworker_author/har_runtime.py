"""What `workerctl module test` adds to a bundle: it records the page's requests, or answers them from a HAR.

It runs inside the sandbox, as a part of the module. So it uses the SDK and Playwright alone, and this file is copied
into the bundle as it is.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.async_api import Error as BrowserError
from playwright.async_api import Route

from pageworker import Context, Failed, Helpers, Page

RECORDING, NOT_RECORDED = "test_har", "test_not_recorded"
"""Kinds of the artifacts that the command reads."""
QUIET_MS = 5_000
"""Longest wait for the last answers of a recording."""
ENTRY_HEADER = "x-pageworker-entry"
"""As in har_file.py."""

TestedHandler = Callable[[Page, dict[str, Any], Helpers, Context], Awaitable[Any]]


class Replay:
    """Which recorded entry answers a request. Equal requests get their entries in order, and the last one for ever."""

    def __init__(self, index: list[dict[str, Any]]) -> None:
        self.refused: list[str] = []
        self._index = index
        self._used: set[int] = set()

    async def route(self, route: Route) -> None:
        """Have the HAR's route answer, or abort the request."""
        request = route.request
        number = self.choose(request.method, request.url, request.post_data, request.is_navigation_request())
        if number is None:
            self.refused.append(f"{request.method} {request.url}")
            await route.abort("blockedbyclient")
        else:
            await route.fallback(headers={ENTRY_HEADER: str(number)})

    def choose(self, method: str, url: str, body: str | None, is_navigation: bool) -> int | None:
        """The number of the entry. None: there is none."""
        fitting = [
            number
            for number, entry in enumerate(self._index)
            if (entry["method"], entry["url"]) == (method, url) and entry["body"] in (None, body)
        ]
        if not fitting:
            return None
        number = next((each for each in fitting if each not in self._used), fitting[-1])
        self._used.add(number)
        if not is_navigation:
            # A navigation asks for each address of a chain of redirects itself.
            self._used.update(self._index[number]["follows"])
        return number


def recorded(module: Any, name: str) -> TestedHandler:
    """The handler `module.name`, with a recording of what its page requests."""

    async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> Any:
        async with helpers.har(kind=RECORDING):
            try:
                return await _call(module, name, page, payload, helpers, context)
            finally:
                # What is on its way when a recording ends has no body in it.
                with suppress(BrowserError):
                    await page.wait_for_load_state("networkidle", timeout=QUIET_MS)

    return handler


def replayed(module: Any, name: str) -> TestedHandler:
    """The handler `module.name`, whose page and popups get recorded answers and nothing else."""

    async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> Any:
        replay = Replay(json.loads((files(__package__) / "index.json").read_text()))
        await page.context.route_from_har(Path(__file__).parent / "replay.har", not_found="abort")
        # The last route is asked first.
        await page.context.route("**/*", replay.route)
        try:
            return await _call(module, name, page, payload, helpers, context)
        except BrowserError as error:
            if not replay.refused or "ERR_BLOCKED_BY_CLIENT" not in str(error):
                raise
            raise Failed(
                f"Not recorded: {replay.refused[-1]}", type="not_recorded", detail={"requests": replay.refused}
            ) from error
        finally:
            if replay.refused:
                await helpers.artifact(NOT_RECORDED, json.dumps(replay.refused), "application/json")

    return handler


async def _call(module: Any, name: str, page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> Any:
    """The three functions of a module, as a runner calls them."""
    if before := getattr(module, "before_job", None):
        await before(page, payload, helpers, context)
    result = await getattr(module, name)(page, payload, helpers, context)
    if after := getattr(module, "after_job", None):
        await after(page, result, helpers, context)
    return result
