"""Errors of interrupted calls, as the installed Playwright words them."""

from pathlib import Path

import playwright
import pytest

from pageworker.navigation import is_interrupted_by_navigation

DRIVER = Path(playwright.__file__).parent / "driver/package/lib/coreBundle.js"


@pytest.mark.parametrize(
    "text",
    [
        "Execution context was destroyed, most likely because of a navigation",
        "Unable to retrieve content because the page is navigating and changing the content.",
        "Frame was detached",
        "Frame has been detached.",
    ],
)
def test_the_installed_driver_has_each_message(text: str) -> None:
    assert is_interrupted_by_navigation(f"Page.evaluate: {text}")
    assert text in DRIVER.read_text()


def test_a_navigation_that_another_one_interrupts_counts() -> None:
    text = 'Page.goto: Navigation to "http://a.test/" is interrupted by another navigation to "http://b.test/"'
    assert is_interrupted_by_navigation(text)


@pytest.mark.parametrize("text", ["", "Page.evaluate: TypeError: x is not a function", "Target page has been closed"])
def test_other_errors_do_not(text: str) -> None:
    assert not is_interrupted_by_navigation(text)


def test_a_reload_while_a_document_is_replaced_counts() -> None:
    assert is_interrupted_by_navigation("Page.reload: Protocol error (Page.reload): Not attached to an active page")
