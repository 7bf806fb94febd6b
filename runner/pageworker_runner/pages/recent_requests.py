"""The last requests of a page since its attempt began, for `page.requests`.

Playwright's driver keeps such a list of each page. Nothing empties it, so it has the requests of earlier jobs as well.
A listener sees those of one attempt only. It makes the driver report every request, so only modules that call
`page.requests` have it.
"""

from collections import deque

from playwright.async_api import Page, Request

MOST = 100
"""As many as Playwright's driver keeps."""


class RecentRequests:
    """By attempt."""

    def __init__(self) -> None:
        self._by_attempt: dict[str, deque[Request]] = {}

    def begin(self, attempt_id: str, page: Page) -> None:
        """Keep the requests of `page` from now on. Its listener ends with the others when the page is cleaned."""
        kept = self._by_attempt[attempt_id] = deque(maxlen=MOST)

        def keep(request: Request) -> None:
            # Playwright sets an attribute on a listener, which `kept.append` cannot have.
            kept.append(request)

        page.on("request", keep)

    def of(self, attempt_id: str) -> list[Request] | None:
        """Oldest first. None: they are not kept for this attempt."""
        kept = self._by_attempt.get(attempt_id)
        return None if kept is None else list(kept)

    def end(self, attempt_id: str) -> None:
        """The attempt has ended."""
        self._by_attempt.pop(attempt_id, None)
