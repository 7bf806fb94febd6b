"""Which requests the documents of each page came from, so that they and their answers can be asked for later."""

import time
from collections import deque
from dataclasses import dataclass
from typing import TypeVar

from playwright.async_api import BrowserContext, Page, Request
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.client_objects import main_frame_of, request_guids
from pageworker_runner.pages.playwright_internals.commands import answer_of, first_url_of, frame_guid_of
from pageworker_runner.pages.playwright_internals.connection import object_of

V = TypeVar("V")

MOST_REQUESTS = 100
"""Requests per page that the driver keeps."""
MOST = 256
"""Frames that are kept: those of a runner's pages and popups. The oldest go first."""
MOST_EARLIER = 8
"""Documents before the present one that are kept per frame."""


@dataclass(frozen=True)
class EarlierDocument:
    """What a document before the present one came with."""

    url: str
    status: int
    headers: dict[str, str]


class MainDocuments:
    """By main frame. The driver reports a document when it commits, with the request that it came from."""

    def __init__(self, context: BrowserContext) -> None:
        self._browser_context = context
        self._requests: dict[str, str] = {}
        self._earlier: dict[str, deque[str]] = {}
        """By main frame: the requests of the documents before, the newest last."""
        self._first: dict[str, str | None] = {}
        """The first request for a document since `begin`. None: there was none yet."""
        self._began_ms: dict[str, float] = {}

    def begin(self, page: Page) -> None:
        """An attempt gets this page, which shows no document of a site: what came before is not its own."""
        frame = frame_guid_of(main_frame_of(page))
        self._earlier.pop(frame, None)
        self._requests.pop(frame, None)
        self._first[frame], self._began_ms[frame] = None, time.time() * 1000

    def requested(self, frame: str, request: str) -> None:
        """A document of a main frame was requested by this request (its guid), in vain or not."""
        if self._first.get(frame, request) is None:
            self._first[frame] = request

    async def requests_of(self, page: Page) -> list[Request]:
        """The last requests of the page since `begin`, oldest first, as far as the driver keeps them. Raises
        Playwright's Error.

        The driver's list has those of earlier attempts as well. The first request of an attempt is that of a document,
        because the page was blank. Where the list does not have it any more, the whole list is newer.
        """
        frame = frame_guid_of(main_frame_of(page))
        first, began_ms = self._first.get(frame), self._began_ms.get(frame)
        if first is None or began_ms is None:
            return []
        kept = await page.requests()
        guids = request_guids(kept)
        if first in guids:
            kept = kept[_start_of_chain(kept, guids, first) :]
        elif len(kept) < MOST_REQUESTS:
            return []
        return [each for each in kept if not 0 < each.timing["startTime"] < began_ms]

    def committed(self, frame: str, request: str | None) -> None:
        """A main frame (its guid) has a new document. None: the document came from no request, as about:blank."""
        before = self._requests.pop(frame, None)
        if before is not None:
            earlier = self._earlier.pop(frame, deque(maxlen=MOST_EARLIER))
            earlier.append(before)
            _keep(self._earlier, frame, earlier)
        if request is not None:
            _keep(self._requests, frame, request)

    async def earlier(self, page: Page) -> list[EarlierDocument]:
        """The documents before the present one, the newest first. Without those that the driver has forgotten."""
        found: list[EarlierDocument] = []
        for guid in reversed(self._earlier.get(frame_guid_of(main_frame_of(page)), ())):
            try:
                request = object_of(self._browser_context, guid)
                status, headers = await answer_of(request)
            except (KeyError, BrowserError):
                continue
            if status is not None:
                found.append(EarlierDocument(first_url_of(request), status, headers))
        return found

    async def answer(self, page: Page) -> tuple[int | None, dict[str, str]]:
        """Status and headers of the answer that the page's document came from. Raises Playwright's Error."""
        request = self._requests.get(frame_guid_of(main_frame_of(page)))
        if request is None:
            return None, {}
        try:
            return await answer_of(object_of(self._browser_context, request))
        except KeyError:
            # The driver forgets old requests.
            return None, {}


def _keep(kept: dict[str, V], frame: str, value: V) -> None:
    kept[frame] = value
    if len(kept) > MOST:
        del kept[next(iter(kept))]


def _start_of_chain(requests: list[Request], guids: list[str], guid: str) -> int:
    """The index of the first request that was redirected, in the end, to this one."""
    index = guids.index(guid)
    while (before := requests[index].redirected_from) is not None:
        (earlier,) = request_guids([before])
        if earlier not in guids:
            break
        index = guids.index(earlier)
    return index
