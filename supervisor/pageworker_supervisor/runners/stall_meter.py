"""Shows for how long the sandboxes of this worker waited for memory."""

from collections.abc import Callable

from pageworker_sandbox.launch.pressure import MemoryStall
from pageworker_supervisor.telemetry.metrics.runner_metrics import RunnerMetrics


class StallMeter:
    """Adds the growth between two looks to the metric. `read`: the totals; None: the kernel does not measure them."""

    def __init__(self, metrics: RunnerMetrics, read: Callable[[], MemoryStall | None]) -> None:
        self._metrics = metrics
        self._read = read
        self._shown = MemoryStall(0.0, 0.0)

    def show(self) -> None:
        """Look once."""
        stall = self._read()
        if stall is None:
            return
        self._metrics.memory_stalled("some", max(0.0, stall.some_seconds - self._shown.some_seconds))
        self._metrics.memory_stalled("full", max(0.0, stall.full_seconds - self._shown.full_seconds))
        self._shown = stall
