"""about:blank, reached for certain."""

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

BLANK = "about:blank"
INTERRUPTED = "interrupted by another navigation"


async def go_blank(page: Page) -> None:
    """Leave the document. The error page of a failed navigation may commit late, and then interrupts ours: we go on
    until nothing does. The caller sets the deadline. Raises Playwright's Error.
    """
    while True:
        try:
            await page.goto(BLANK, wait_until="commit")
        except BrowserError as error:
            if INTERRUPTED not in str(error):
                raise
        else:
            return
