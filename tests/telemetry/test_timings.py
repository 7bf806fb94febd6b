"""The quick histogram counts as the usual one does."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from pageworker_supervisor.telemetry.label_values import OTHER
from pageworker_supervisor.telemetry.metrics.timings import MAX_OPERATIONS, Timings

BOUNDS = (0.001, 0.5, 2.0)
SECONDS = (0.0, 0.001, 0.0011, 0.5, 1.9, 2.0, 2.5, 60.0)


def lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_it_shows_what_a_histogram_of_the_library_shows() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    quick = Timings("call_seconds", "Seconds.", "operation", BOUNDS, ours)
    usual = Histogram("call_seconds", "Seconds.", ("operation",), buckets=BOUNDS, registry=theirs)
    for operation in ("claim", "finish"):
        for seconds in SECONDS:
            quick.observe(operation, seconds)
            usual.labels(operation).observe(seconds)
    assert lines(ours) == lines(theirs)


def test_it_has_a_bounded_number_of_series() -> None:
    registry = CollectorRegistry()
    quick = Timings("call_seconds", "Seconds.", "operation", BOUNDS, registry)
    for number in range(3 * MAX_OPERATIONS):
        quick.observe(f"call{number}", 1)
    (family,) = registry.collect()
    counts = [sample for sample in family.samples if sample.name == "call_seconds_count"]
    assert len(counts) == MAX_OPERATIONS + 1
    (other,) = [sample.value for sample in counts if sample.labels["operation"] == OTHER]
    assert other == 2 * MAX_OPERATIONS
