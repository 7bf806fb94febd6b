"""How a runner's process ends. The supervisor reads the code."""

from enum import IntEnum


class RunnerExit(IntEnum):
    """Exit codes."""

    STOPPED = 0
    """Stopped on request. The browser is closed and the profile is flushed."""
    NOT_STARTED = 70
    """Browser, driver or confinement did not come up."""
    BROWSER_LOST = 71
    """Browser or driver ended while the runner was in use."""
    CHANNEL_LOST = 72
    """The supervisor is gone or broke the protocol."""
    NOT_FLUSHED = 73
    """Stopped on request, but the browser did not close in time: the profile may lack its last writes."""
    BROKEN = 74
    """A bug of the runner itself. The traceback is on stderr."""
