"""What the runners of a worker use, by the number of a slot: runner ids are endless, slots are few. Pure."""

import itertools
from collections.abc import Mapping
from typing import Protocol

from pageworker_supervisor.telemetry.metrics.runner_metrics import RunnerMetrics


class MeasuredRunner(Protocol):
    """What is read of a runner. None: it is not measured yet."""

    @property
    def memory_bytes(self) -> int | None: ...

    @property
    def cpu_seconds(self) -> float: ...


class RunnerUsage:
    """Gives each runner the lowest free slot number for as long as it lives, and shows what it uses."""

    def __init__(self, metrics: RunnerMetrics) -> None:
        self._metrics = metrics
        self._slots: dict[str, int] = {}
        self._cpu_seconds: dict[str, float] = {}
        """Shown so far, by runner id."""

    def show(self, runners: Mapping[str, MeasuredRunner]) -> None:
        """Show the last measurement of these runners, which are all that there are, by runner id."""
        for gone in self._slots.keys() - runners.keys():
            self._cpu_seconds.pop(gone, None)
            self._metrics.slot_freed(self._slots.pop(gone))
        for runner_id, runner in runners.items():
            if runner_id not in self._slots:
                self._slots[runner_id] = self._free_slot()
            if runner.memory_bytes is not None:
                shown = self._cpu_seconds.get(runner_id, 0.0)
                # A process whose parent does not wait for it takes its time with it: the sum may fall.
                self._cpu_seconds[runner_id] = max(shown, runner.cpu_seconds)
                growth = self._cpu_seconds[runner_id] - shown
                self._metrics.measured(self._slots[runner_id], runner.memory_bytes, growth)

    def _free_slot(self) -> int:
        taken = set(self._slots.values())
        return next(number for number in itertools.count() if number not in taken)
