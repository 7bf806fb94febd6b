"""What can go wrong in the runner, by blame."""


class RunnerError(Exception):
    """Base."""


class StartError(RunnerError):
    """Host: browser, driver or confinement did not come up. The text names the step."""


class ModuleBroken(RunnerError):
    """Module: its bundle can not be read, imported, or has no such entrypoint. Never retryable."""


class CallRefused(RunnerError):
    """Module: it asked the browser for something that is not its own to touch, such as closing the context."""


class PageLost(RunnerError):
    """Browser: the attempt's page crashed or was closed. Retryable."""


class BrowserLost(RunnerError):
    """Browser: Chromium or the driver is gone. Retryable, on another runner."""


class OutputLimit(RunnerError, ValueError):
    """Module: more output than an attempt may leave. A module may catch it and go on with what it has."""

    def __init__(self, text: str, *, used: int, allowed: int, unit: str) -> None:
        super().__init__(text)
        self.used = used
        self.allowed = allowed
        self.unit = unit


class Unproved(RunnerError):
    """Browser: a page could not be proved clean; it is to be replaced. The text says what was left.

    `foreseen`: its module did something that can't be taken back, so this says nothing against the browser.
    """

    def __init__(self, what: str, *, foreseen: bool = False) -> None:
        super().__init__(what)
        self.foreseen = foreseen
