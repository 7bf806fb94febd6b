"""Every bound of the runner in one place; the unit is in the name."""

from dataclasses import dataclass

from pageworker_sandbox.wire.messages import MAX_LINES


@dataclass(frozen=True)
class AttemptLimits:
    """What one attempt and one runner may use. Messages have bounds of their own in the wire vocabulary."""

    handler_grace_seconds: float = 0.75
    """How long a cancelled handler may clean up before its page is taken from it. With the failure artifacts
    it has to stay below the supervisor's kill grace (3 s)."""
    stopped_failure_artifacts_seconds: float = 1.25
    """For the screenshot and the HTML of an attempt that was stopped, together."""
    failure_artifacts_seconds: float = 2.5
    """The same for one that ended by itself: nobody counts yet. Still below the kill grace, should a cancel come."""
    handover_seconds: float = 0.4
    """For handing both over, on top of what is left of that time. All together stays below the kill grace."""
    browser_lost_grace_seconds: float = 1.25
    """For attempts to end once the browser is gone; whatever has not ended by then ends with the runner."""
    close_seconds: float = 5.0
    """For closing a late popup, and for the last words of a runner that ends."""
    settle_seconds: float = 0.5
    """For the driver to learn of popups that the browser has already; slower ones are closed unseen."""
    stop_seconds: float = 10.0
    """For the browser's own shutdown: it flushes the profile."""
    log_lines: int = MAX_LINES
    """Lines of one attempt, printed ones included; then one last line says that there were more."""
    line_chars: int = 8000
    artifacts: int = 64
    artifacts_bytes: int = 96 * 1024 * 1024
    """Of one attempt, failure artifacts not counted."""
    unproved_pages: int = 5
    """Pages that could not be proved clean though nothing was known against them; then the runner retires."""
    bundle_bytes: int = 64 * 1024 * 1024
    """Of a module, packed and unpacked alike."""


LIMITS = AttemptLimits()
