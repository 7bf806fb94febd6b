"""However hostile the values, a metric has a bounded number of series."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_supervisor.telemetry.metrics.bounded import Bounded


def counter(registry: CollectorRegistry) -> Counter:
    return Counter("seen", "Seen.", ("kind", "who"), registry=registry)


def test_sets_beyond_the_limit_are_other() -> None:
    registry = CollectorRegistry()
    bounded = Bounded(counter(registry), keep=1, limit=3)
    for number in range(9):
        bounded.of("a", f"w{number}").inc()
    assert registry.get_sample_value("seen_total", {"kind": "a", "who": "w2"}) == 1
    assert registry.get_sample_value("seen_total", {"kind": "a", "who": "w3"}) is None
    assert registry.get_sample_value("seen_total", {"kind": "a", "who": "other"}) == 6
    bounded.of("a", "w2").inc()
    assert registry.get_sample_value("seen_total", {"kind": "a", "who": "w2"}) == 2


def test_without_kept_labels_all_become_other() -> None:
    registry = CollectorRegistry()
    bounded = Bounded(counter(registry), limit=0)
    bounded.of("a", "w").inc()
    bounded.of("b", "v").inc()
    assert registry.get_sample_value("seen_total", {"kind": "other", "who": "other"}) == 2


def test_a_dropped_series_is_gone_and_makes_space() -> None:
    registry = CollectorRegistry()
    bounded = Bounded(Gauge("depth", "Depth.", ("slot",), registry=registry), limit=1)
    bounded.of("0").set(5)
    bounded.drop("0")
    bounded.drop("0")
    assert registry.get_sample_value("depth", {"slot": "0"}) is None
    bounded.of("1").set(6)
    assert registry.get_sample_value("depth", {"slot": "1"}) == 6
