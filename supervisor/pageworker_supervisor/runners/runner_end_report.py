"""Says in log and metrics what ended a runner, or kept it from coming up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pageworker_sandbox.state_machine import label
from pageworker_supervisor.runners.start_failure import StartFailure

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.telemetry.metrics.runner_metrics import RunnerMetrics


def report_errors(errors: Sequence[BaseException], log: "Logger") -> None:
    """Of a runner that had come up."""
    if errors:
        log.error("runner ended with an error", reason="; ".join(map(str, errors)))


def report_failure(failure: StartFailure, log: "Logger", metrics: "RunnerMetrics", *, told_to_go: bool) -> None:
    """Of a runner that had not come up. `told_to_go`: that is no failure."""
    if failure.breach is not None:
        metrics.limit_breached(failure.breach.limit)
    if not told_to_go:
        log.error("runner did not come up", reason=failure.reason, blame=label(failure.blame))
