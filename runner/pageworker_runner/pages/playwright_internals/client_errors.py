"""Errors of Playwright's client."""

from playwright._impl.errors import TargetClosedError
from playwright.async_api import Error as BrowserError

from pageworker_runner.reporting.error_text import text_of


def reword(error: BrowserError, text: str) -> None:
    """Give an error of the driver another text."""
    error._message = text
    error._stack = text
    error.args = (text,)


def closed_error(reason: str | None) -> BrowserError:
    """What every call raises once the browser context is closed, with the `reason` that the closing call gave."""
    error = TargetClosedError(reason) if reason else TargetClosedError()
    # As an error that the driver sends.
    error._name = TargetClosedError.__name__
    return error


def is_closed_error(error: BaseException) -> bool:
    """Whether a call failed because its page, browser context or browser is gone."""
    # An error of `response.finished()` is a copy, which has the name of the original and not its type.
    named = isinstance(error, BrowserError) and error.name == TargetClosedError.__name__
    return named or isinstance(error, TargetClosedError) or "Target crashed" in text_of(error)
