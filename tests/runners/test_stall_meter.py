"""Stall times become counters: only what was added since the last look."""

from pageworker_sandbox.launch.pressure import MemoryStall
from pageworker_supervisor.runners.stall_meter import StallMeter
from pageworker_supervisor.telemetry.metrics import Metrics

NAME = "pageworker_sandbox_memory_stall_seconds_total"


def test_growth_is_added_and_a_host_without_the_file_adds_nothing() -> None:
    metrics = Metrics()
    looks = iter((MemoryStall(2.0, 1.0), None, MemoryStall(2.5, 1.0), MemoryStall(0.0, 0.0)))
    meter = StallMeter(metrics.runners, lambda: next(looks))
    seen = []
    for _ in range(4):
        meter.show()
        seen.append([metrics.registry.get_sample_value(NAME, {"kind": kind}) for kind in ("some", "full")])
    assert seen == [[2.0, 1.0], [2.0, 1.0], [2.5, 1.0], [2.5, 1.0]]
