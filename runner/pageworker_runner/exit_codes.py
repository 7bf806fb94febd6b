"""How a runner's process ends. The supervisor reads the code."""

from enum import IntEnum


class RunnerExit(IntEnum):
    """Exit codes."""

    STOPPED = 0
    """Asked to stop, browser closed, profile flushed."""
    NOT_STARTED = 70
    """Browser, driver or confinement did not come up."""
    BROWSER_LOST = 71
    """Browser or driver went away while the runner was in use."""
    CHANNEL_LOST = 72
    """The supervisor is gone or broke the protocol."""
    BROKEN = 74
    """A bug of the runner itself: the trace is on stderr."""
    NOT_FLUSHED = 73
    """Asked to stop, but the browser did not close in time: the profile may lack its last writes."""
