"""Errors of a closed page are told from other errors."""

import pytest
from playwright._impl.errors import TargetClosedError
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.client_errors import is_closed_error


@pytest.mark.parametrize(
    ("error", "closed"),
    [
        (TargetClosedError("Target page, context or browser has been closed"), True),
        (BrowserError("Page.title: Target crashed"), True),
        (BrowserError("net::ERR_ABORTED at http://x/"), False),
        (ValueError("closed"), False),
    ],
)
def test_a_closed_page_is_distinguished_from_other_errors(error: BaseException, closed: bool) -> None:
    assert is_closed_error(error) is closed
