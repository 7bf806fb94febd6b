"""Errors of the runner, by whose fault they are."""


class RunnerError(Exception):
    """Base class. `retryable`: another attempt may succeed."""

    retryable = False


class StartError(RunnerError):
    """Host: browser, driver or confinement did not come up. The text names the step."""

    retryable = True


class ModuleBroken(RunnerError):
    """Module: its bundle cannot be read or imported, or has no such entrypoint."""


class CallRefused(RunnerError):
    """Module: it called something of the browser that only the runner may use, such as `browser.new_context()`."""


class OutputLimit(RunnerError, ValueError):
    """Module: more output than an attempt may leave. A module may catch it and go on with what it has."""

    def __init__(self, text: str, *, used: int, allowed: int, unit: str) -> None:
        """`used` and `allowed` are amounts in `unit`; both become part of the result."""
        super().__init__(text)
        self.used = used
        self.allowed = allowed
        self.unit = unit


class PageLost(RunnerError):
    """Browser: the attempt's page crashed, or no page became free."""

    retryable = True


class BrowserLost(RunnerError):
    """Browser: Chromium or the driver ended. Another attempt runs on another runner."""

    retryable = True


class CleaningFailed(RunnerError):
    """Browser: a used page could not be proved clean, so it is replaced. The text says what was left.

    `expected`: the module did something that cannot be undone. Then the browser is not at fault.
    """

    def __init__(self, text: str, *, expected: bool = False) -> None:
        super().__init__(text)
        self.expected = expected
