"""Tells errors of calls that a navigation interrupted: the page went elsewhere by itself while it was read.

A page does so by `<meta http-equiv=refresh>`, by `location = …` in a script, or because a click's navigation was not
waited for. The call can be repeated: it meets the new document.
"""

import re

INTERRUPTED = re.compile(
    "Execution context was destroyed"
    "|page is navigating and changing the content"
    "|is interrupted by another navigation"
    "|Frame (?:was|has been) detached"
    "|Cannot find context with specified id"
    "|Inspected target navigated or closed"
    "|Not attached to an active page"
)
"""Messages of Playwright's driver and of Chromium's DevTools. They have no error codes."""


def is_interrupted_by_navigation(text: str) -> bool:
    """Whether an error with this text says that the document went away during the call."""
    return INTERRUPTED.search(text) is not None
