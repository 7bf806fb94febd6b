"""Metrics as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from pageworker_supervisor.telemetry.label_values import MAX_LABELS, OTHER
from pageworker_supervisor.telemetry.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def labels(metrics: Metrics, name: str, label: str) -> set[str]:
    return {dict(pairs)[label] for (sample, pairs) in samples(metrics) if sample == name}


def test_every_name_has_the_prefix() -> None:
    families = list(text_string_to_metric_families(Metrics(version="1").expose().decode()))
    assert families
    assert all(family.name.startswith("pageworker_") for family in families)
    assert all(family.documentation for family in families)


def test_a_job_is_counted_and_timed() -> None:
    metrics = Metrics(["acme"])
    metrics.jobs.finished("shop.product", "acme", "succeeded", 0.5, 2.0)
    found = samples(metrics)
    key = (("module", "shop.product"), ("status", "succeeded"), ("tenant", "acme"))
    assert found["pageworker_jobs_total", key] == 1
    assert found["pageworker_job_run_seconds_sum", (("module", "shop.product"),)] == 2.0
    assert found["pageworker_job_queue_seconds_sum", (("tenant", "acme"),)] == 0.5


def test_a_sender_cannot_multiply_labels() -> None:
    metrics = Metrics(["acme", "*", "b-?"])
    for number in range(3 * MAX_LABELS):
        metrics.jobs.finished(f"rejected{number}", f"tenant-{number}", "rejected", 0, 0)
    assert labels(metrics, "pageworker_jobs_total", "module") == {OTHER}
    for number in range(3 * MAX_LABELS):
        metrics.jobs.finished(f"module{number}", "acme", "succeeded", 0, 1)
        metrics.jobs.lost(f"tenant-{number}")
        metrics.egress.refused(f"tenant-{number}", "private")
    assert labels(metrics, "pageworker_jobs_total", "tenant") == {"acme", OTHER}
    assert len(labels(metrics, "pageworker_jobs_total", "module")) == MAX_LABELS + 1
    assert labels(metrics, "pageworker_leases_lost_total", "tenant") == {OTHER}


def test_a_state_that_is_over_is_zero_and_not_what_it_was() -> None:
    metrics = Metrics()
    metrics.runners.states({"ready": 2}, {"IDLE": 8})
    metrics.runners.states({"starting": 1}, {})
    found = samples(metrics)
    assert found["pageworker_runners", (("state", "ready"),)] == 0
    assert found["pageworker_runners", (("state", "starting"),)] == 1
    assert found["pageworker_pages", (("state", "IDLE"),)] == 0


def test_two_workers_in_one_process_do_not_share_anything() -> None:
    one, two = Metrics(version="1"), Metrics(version="2")
    one.jobs.retried("m")
    assert ("pageworker_job_retries_total", (("module", "m"),)) not in samples(two)
