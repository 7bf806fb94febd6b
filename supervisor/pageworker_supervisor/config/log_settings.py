"""What the log has, and in which form."""

from typing import Literal

from pageworker_sandbox.wire.messages import BrowserLevel
from pageworker_supervisor.config.section import Section


class LogSettings(Section, frozen=True):
    """Logs on stdout."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is written."""
    browser: BrowserLevel = "error"
    """Lowest level of console messages of pages that a job's log has; `off`: none. Uncaught errors of scripts are of
    level `error`. At most 100 lines per attempt."""
    format: Literal["json", "text"] = "json"
    """`json`: one JSON object per line, for log collectors. `text`: for people."""
