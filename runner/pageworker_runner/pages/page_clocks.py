"""`page.clock` for one job: on its own pages, and taken back with what else the job leaves on them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from playwright.async_api import BrowserContext, Frame, Page
from playwright.async_api import Error as BrowserError

from pageworker.navigation import is_interrupted_by_navigation
from pageworker_runner.pages.clock_steps import ClockInvalid, clock_step, for_popups, install_script
from pageworker_runner.pages.playwright_internals.client_objects import unshared
from pageworker_runner.pages.playwright_internals.driver_files import clock_source


@dataclass(frozen=True)
class JobClock:
    """The clock of one attempt. `scripts`: what makes it, for documents to come."""

    owner: str
    scripts: list[str] = field(default_factory=list)


class PageClocks:
    """The clocks by attempt. Their scripts are added as the attempt's own, so recycling removes them."""

    def __init__(self, context: BrowserContext, pages_of: Callable[[str], Sequence[Page]]) -> None:
        """`pages_of(attempt)`: the pages of an attempt that are there now. Reads a file of the driver."""
        self._context = context
        self._pages_of = pages_of
        self._source = clock_source()
        self._clocks: dict[str, JobClock] = {}

    def has(self, attempt_id: str) -> bool:
        """Whether the attempt has a clock."""
        return attempt_id in self._clocks

    def forget_attempt(self, attempt_id: str) -> None:
        """The attempt has ended."""
        self._clocks.pop(attempt_id, None)

    async def run(self, attempt_id: str, method: str, params: Mapping[str, Any]) -> None:
        """Do what a command of the clock says, on all pages of the attempt. Raises Playwright's Error."""
        clock = self._clocks.get(attempt_id) or JobClock(token_hex(8))
        try:
            step = clock_step(method, params, int(time.time() * 1000), len(clock.scripts))
        except ClockInvalid as invalid:
            raise BrowserError(str(invalid)) from None
        self._clocks[attempt_id] = clock
        first = [] if clock.scripts else [install_script(self._source, clock.owner)]
        later = "\n;".join([*first, step.later])
        clock.scripts.append(later)
        await asyncio.gather(
            self._context.add_init_script(script=for_popups(later, clock.owner)),
            *(_add(page, later, "\n;".join([*first, step.now])) for page in self._pages_of(attempt_id)),
        )

    async def adopt(self, attempt_id: str, page: Page) -> None:
        """A page that the attempt has opened gets its clock. If the page is gone, nothing happens."""
        if (clock := self._clocks.get(attempt_id)) is not None:
            script = "\n;".join(clock.scripts)
            with suppress(BrowserError):
                await _add(page, script, script)


async def _add(page: Page, later: str, now: str) -> None:
    page = unshared(page)
    await page.add_init_script(script=later)
    await asyncio.gather(*(_evaluate(frame, now) for frame in page.frames))


async def _evaluate(frame: Frame, script: str) -> None:
    try:
        await frame.evaluate(script)
    except BrowserError as error:
        # The next document runs the script for documents to come.
        if not is_interrupted_by_navigation(str(error)):
            raise
