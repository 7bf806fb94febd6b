"""Pages of one runner that are reserved for jobs, and their one owner from reservation to release."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pageworker_supervisor.runners.runner import Runner

RECYCLINGS = 4
RECYCLING_SLACK_SECONDS = 5.0
"""A page must be free again within four time limits of recycling, plus this slack for a busy host: it is cleaned or
replaced, its context is wiped, and it may have waited while the context was wiped for another page."""


class PageReservation:
    """One page of a runner, reserved for one job. `exclusive`: the job must be alone on the runner.

    Use it as a `with` block. The end of the block releases the page, unless the runner has begun to use it: then the
    runner releases it once the page is clean again. A runner that dies takes its pages with it.
    """

    def __init__(self, runner: "Runner", pages: "RunnerPages", *, exclusive: bool) -> None:
        self.runner = runner
        self.exclusive = exclusive
        self._pages = pages
        self._in_use = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._in_use:
            self.release()

    def use(self) -> None:
        """The runner gets the job: from now on the runner releases the page."""
        self._in_use = True

    def recycle(self, attempt_id: str) -> None:
        """The attempt has left the page. The runner cleans it."""
        self._pages.recycle(self, attempt_id)

    def release(self) -> None:
        """The page is free for other jobs."""
        self._pages.release(self)

    async def wait_until_exclusive(self) -> None:
        """Return when this is the only page of the runner that is taken."""
        await self._pages.wait_until_only_one_is_taken()


class RunnerPages:
    """The reservations of one runner. `on_release` is called after each release."""

    def __init__(self, on_release: Callable[[], None]) -> None:
        self.last_used = time.monotonic()
        """When a page was released last; when the runner was made, before."""
        self._reservations: set[PageReservation] = set()
        self._recycling: dict[str, tuple[float, PageReservation]] = {}
        """Since when pages are being recycled, by the attempt that left them. Monotonic seconds."""
        self._released = asyncio.Event()
        self._on_release = on_release

    @property
    def taken(self) -> int:
        """Pages that are reserved, in use or being recycled."""
        return len(self._reservations)

    @property
    def exclusive(self) -> bool:
        """True while a job that must run alone has, or waits for, the runner."""
        return any(reservation.exclusive for reservation in self._reservations)

    def reserve(self, runner: "Runner", *, exclusive: bool) -> PageReservation:
        """Take one page. The caller has checked that one is free."""
        reservation = PageReservation(runner, self, exclusive=exclusive)
        self._reservations.add(reservation)
        return reservation

    def release(self, reservation: PageReservation) -> None:
        """Give one page back. Raises KeyError where it was given back before: a bug."""
        self._reservations.remove(reservation)
        self.last_used = time.monotonic()
        self._released.set()
        self._on_release()

    @property
    def recycling(self) -> list[str]:
        """Attempts whose pages are being recycled."""
        return list(self._recycling)

    def recycle(self, reservation: PageReservation, attempt_id: str) -> None:
        """The attempt has left its page, which is taken until `free` is called."""
        self._recycling[attempt_id] = (time.monotonic(), reservation)

    def recycled_within(self, seconds: float) -> int:
        """Pages that began to be recycled less than so long ago."""
        return sum(since > time.monotonic() - seconds for since, _ in self._recycling.values())

    def overdue(self, recycle_seconds: float) -> str | None:
        """An attempt whose page should be free again; None where there is none. `recycle_seconds`: one time limit."""
        latest = time.monotonic() - recycle_seconds * RECYCLINGS - RECYCLING_SLACK_SECONDS
        return next((attempt_id for attempt_id, (since, _) in self._recycling.items() if since < latest), None)

    def free(self, attempt_id: str) -> None:
        """The page that this attempt left is clean again."""
        _, reservation = self._recycling.pop(attempt_id)
        reservation.release()

    async def wait_until_only_one_is_taken(self) -> None:
        """Return when all other pages are free."""
        while self.taken > 1:
            self._released.clear()
            await self._released.wait()
