"""Every bound of the runner in one place. The unit is in the name."""

from dataclasses import dataclass

from pageworker_sandbox.wire.messages import BROWSER_CLOSE_SECONDS, MAX_LINES


@dataclass(frozen=True)
class AttemptLimits:
    """What one attempt and one runner may use. The wire's messages have bounds of their own.

    The supervisor kills a runner whose cancelled attempt is not done after `pool.kill_grace_seconds` (3 s). So the
    times that follow a cancel stay below it together: `handler_grace_seconds`, `stopped_blocker_check_seconds`,
    `stopped_failure_artifacts_seconds` and `handover_seconds`.
    """

    handler_grace_seconds: float = 0.75
    """Time for a cancelled handler to clean up. After it the page is taken from the handler."""
    stopped_failure_artifacts_seconds: float = 1.25
    """Time for the screenshot and the HTML of an attempt that was stopped, both together."""
    failure_artifacts_seconds: float = 2.5
    """Same, for attempts that ended by themselves (no kill timer is running). Kept below the kill grace in case a
    cancel arrives."""
    handover_seconds: float = 0.4
    """Time to hand both artifacts over, in addition to what is left of the time above."""
    blocker_check_seconds: float = 2.0
    """Time for a page to say what it shows."""
    stopped_blocker_check_seconds: float = 0.4
    """The same for an attempt that was stopped."""
    screenshot_seconds: float = 5.0
    """Longest wait of `helpers.screenshot` for web fonts. At most a third of what is left of the attempt's time."""
    browser_lost_grace_seconds: float = 1.25
    """Time for attempts to end after the browser has ended. After it the runner exits."""
    close_seconds: float = 5.0
    """Time to close a late popup, and to send the last messages of a runner that ends."""
    checkpoint_seconds: float = 2.0
    """Time to read cookies and storage for a checkpoint. Pages that are recycled wait for it, so it is well below
    `pool.recycle_seconds`."""
    settle_seconds: float = 0.5
    """Time for the driver to report popups that the browser has already. Slower ones are closed without it."""
    stop_seconds: float = BROWSER_CLOSE_SECONDS
    """Time for the browser's own shutdown, which flushes the profile. The supervisor grants it to runners of profiles.
    It kills a runner without profile after `pool.kill_grace_seconds`: nothing of it is kept."""
    log_lines: int = MAX_LINES
    """Lines per attempt, printed ones included. A final line says that more were left out."""
    line_chars: int = 8000
    browser_lines: int = 100
    """Lines of pages per attempt: console messages and uncaught errors. They count among `log_lines`, too."""
    browser_line_chars: int = 2000
    artifacts: int = 64
    """Per attempt, failure artifacts not counted."""
    artifacts_bytes: int = 96 * 1024 * 1024
    """Per attempt, all artifacts together, failure artifacts not counted."""
    unclean_pages: int = 5
    """Pages that could not be proved clean without an expected reason. Then the runner asks to be retired."""
    bundle_bytes: int = 64 * 1024 * 1024
    """Per module version, packed and unpacked alike."""


LIMITS = AttemptLimits()
