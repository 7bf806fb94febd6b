"""Why a runner and its browser ended, in words for metrics. Pure."""

from typing import Literal, NamedTuple

from pageworker_sandbox.launch import ExitStatus, SandboxedProcess
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.runner_exit import exit_reason, signal_of
from pageworker_supervisor.telemetry.metrics.runner_metrics import RunnerMetrics

BrowserExit = Literal["closed", "not_flushed", "crashed", "oom", "signal", "killed", "not_started", "runner_exited"]
"""`closed`: in order, its profile is on disk. `not_flushed`: told to close, and too slow. `crashed`: it or Playwright's
driver ended by itself. `oom`: over its memory. `signal`: ended by a signal that the worker did not send. `killed`: by
the worker. `not_started`: it did not come up. `runner_exited`: the runner's process ended, by a bug or by a module."""
RestartReason = Literal[
    "oom", "limit", "hung", "protocol", "crashed", "signal", "exited", "host", "not_started", "retired"
]
"""`limit`: over another limit than memory. `hung`: it did not answer, stop a job or free a page. `protocol`: it broke
the protocol. `exited`: its process ended with another exit code. `host`: gateway, profile lock or host were lost.
`retired`: it asked for it, or its settings have changed. The others are those of the browser."""
Restart = RestartReason | None
"""None: no other runner has to start for this one."""
CLOSED, NOT_STARTED, BROWSER_LOST, NOT_FLUSHED = 0, 70, 71, 73
"""Exit codes of `pageworker_runner.exit_codes`. A test holds them together."""
EXITS: dict[int | None, BrowserExit] = {
    CLOSED: "closed",
    NOT_STARTED: "not_started",
    BROWSER_LOST: "crashed",
    NOT_FLUSHED: "not_flushed",
}


class RunnerEnding(NamedTuple):
    """Where a runner's life stood when it ended.

    `up`: it had come up. `killed`: the worker killed it, or gave it up. `told_to_go`: it was told to stop.
    """

    up: bool
    killed: bool
    told_to_go: bool

    @property
    def name(self) -> str:
        """`not_started`, `killed`, `retired` or `crashed`."""
        if not self.up:
            return "not_started"
        if self.killed:
            return "killed"
        return "retired" if self.told_to_go else "crashed"


class RunnerEnd:
    """What is known of one runner's end. `status`: of its process tree, once it has ended."""

    def __init__(self) -> None:
        self.status: ExitStatus | None = None
        self.browser_version = ""
        """As the browser reports it; "": it has not come up."""
        self._oom = False
        """Whether the kernel, or the worker's own measurement, found it over its memory."""
        self._noted: RestartReason | None = None

    @property
    def exit_reason(self) -> str:
        """For results: how its process ended."""
        return "the runner exited" if self.status is None else exit_reason(self.status)

    @property
    def closed_in_order(self) -> bool:
        """Whether the browser was closed and has written its profile."""
        return self.status is not None and self.status.code == CLOSED and self.status.signal is None and not self._oom

    def note(self, reason: Restart, breach: Breach | None = None) -> None:
        """The worker ends the runner for this reason, or for this limit that it exceeded. The first one counts."""
        if breach is not None:
            self._oom = self._oom or breach.limit == "memory_limit"
            reason = "oom" if breach.limit == "memory_limit" else "limit"
        self._noted = self._noted or reason

    def count(self, how: RunnerEnding, metrics: RunnerMetrics, process: SandboxedProcess | None) -> None:
        """Count the end of the runner and of its browser. `process` has ended."""
        self._oom = self._oom or (process is not None and process.limit_hits().memory > 0)
        metrics.ended(how.name)
        if (exited := self.browser(how)) is not None:
            metrics.browser_exited(exited)
        if (restart := self.restart(how)) is not None:
            metrics.restarted(restart)

    def browser(self, how: RunnerEnding) -> BrowserExit | None:
        """How the browser ended; None without a process."""
        if self.status is None:
            return None
        if self._oom:
            return "oom"
        if signal_of(self.status) is not None:
            return "killed" if how.killed or how.told_to_go else "signal"
        return EXITS.get(self.status.code, "runner_exited")

    def restart(self, how: RunnerEnding) -> Restart:
        """Why another runner has to start; None if this one ended normally."""
        if self._noted is not None or self._oom:
            return self._noted or "oom"
        if how.told_to_go:
            return None
        if not how.up:
            return "not_started"
        if self.status is not None and signal_of(self.status) is not None:
            return "signal"
        return "crashed" if self.status is not None and self.status.code == BROWSER_LOST else "exited"
