"""Slots are few and used again, and CPU time only grows."""

from dataclasses import dataclass

from pageworker_supervisor.runners.runner_usage import RunnerUsage
from pageworker_supervisor.telemetry.metrics import Metrics


@dataclass
class Measured:
    memory_bytes: int | None = None
    cpu_seconds: float = 0.0


class Shown:
    """What a scrape shows of each slot."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        self.usage = RunnerUsage(self._metrics.runners)

    def memory(self, slot: int) -> float | None:
        return self._metrics.registry.get_sample_value("pageworker_runner_memory_bytes", {"slot": str(slot)})

    def cpu(self, slot: int) -> float | None:
        return self._metrics.registry.get_sample_value("pageworker_runner_cpu_seconds_total", {"slot": str(slot)})


def test_a_runner_keeps_its_slot_and_leaves_it_to_the_next() -> None:
    shown = Shown()
    one, two, three = Measured(10), Measured(20), Measured(30)
    shown.usage.show({"a": one, "b": two})
    shown.usage.show({"b": two})
    assert (shown.memory(0), shown.memory(1)) == (None, 20)
    shown.usage.show({"b": two, "c": three})
    assert (shown.memory(0), shown.memory(1), shown.memory(2)) == (30, 20, None)


def test_cpu_time_of_a_slot_is_that_of_all_its_runners() -> None:
    shown = Shown()
    shown.usage.show({"a": Measured(1, 2.0)})
    shown.usage.show({"a": Measured(1, 1.5)})
    shown.usage.show({"a": Measured(1, 3.0)})
    assert shown.cpu(0) == 3.0
    shown.usage.show({"b": Measured(1, 4.0)})
    assert shown.cpu(0) == 7.0


def test_a_runner_that_is_not_measured_yet_shows_nothing() -> None:
    shown = Shown()
    shown.usage.show({"a": Measured()})
    assert (shown.memory(0), shown.cpu(0)) == (None, None)


def test_a_thousand_runners_need_no_more_slots_than_live_at_once() -> None:
    shown = Shown()
    for number in range(1000):
        shown.usage.show({f"r{number}": Measured(1, 1.0), f"r{number + 1}": Measured(2, 1.0)})
    assert shown.memory(2) is None
    assert shown.cpu(2) is None
