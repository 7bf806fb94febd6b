"""Which request each page's main document came from, so that its answer can be asked for later."""

from playwright.async_api import BrowserContext, Page

from pageworker_runner.pages.playwright_internals.client_objects import main_frame_of
from pageworker_runner.pages.playwright_internals.commands import answer_of, frame_guid_of
from pageworker_runner.pages.playwright_internals.connection import object_of

MOST = 256
"""Frames that are kept: those of a runner's pages and popups. The oldest go first."""


class MainDocuments:
    """By main frame. The driver reports a document when it commits, with the request that it came from."""

    def __init__(self, context: BrowserContext) -> None:
        self._browser_context = context
        self._requests: dict[str, str] = {}

    def committed(self, frame: str, request: str | None) -> None:
        """A main frame (its guid) has a new document. None: the document came from no request, as about:blank."""
        self._requests.pop(frame, None)
        if request is not None:
            self._requests[frame] = request
            if len(self._requests) > MOST:
                del self._requests[next(iter(self._requests))]

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
