"""A time that is not known has no sample."""

from prometheus_client import CollectorRegistry

from pageworker_supervisor.telemetry.metrics.timestamps import TimestampGauge


def test_there_is_a_sample_only_while_it_is_known() -> None:
    registry = CollectorRegistry()
    gauge = TimestampGauge("expiry", "When.", registry=registry)
    assert registry.get_sample_value("expiry") is None
    gauge.show(1_800_000_000.0)
    assert registry.get_sample_value("expiry") == 1_800_000_000.0
    gauge.show(None)
    assert registry.get_sample_value("expiry") is None
