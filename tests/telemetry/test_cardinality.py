"""Whatever tenants, modules and pages send, a worker has a bounded number of series."""

from collections import Counter
from pathlib import Path

from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.telemetry.label_values import MAX_LABELS
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.metrics.bounded import MAX_SETS

MOST_SAMPLES = 65_000
"""Of one scrape. docs/metrics.md names it."""
HOSTILE = MAX_SETS + 50
TENANTS = [f"t{number}" for number in range(2 * MAX_LABELS)]


def flood(metrics: Metrics, number: int) -> None:
    """One more value of every label that a caller of `Metrics` gives as text."""
    word, tenant = f"x{number}", TENANTS[number % len(TENANTS)]
    metrics.jobs.finished(word, tenant, "failed" if number % 2 else "succeeded", 1.0, 1.0)
    metrics.jobs.answered(word, 1.0, "0" * 32)
    metrics.jobs.blocked(word, "captcha")
    metrics.jobs.retried(word)
    metrics.jobs.deferred(word)
    metrics.jobs.lost(word)
    metrics.jobs.rejected(word)
    metrics.runners.measured(number, 1, 1.0)
    for count in (
        metrics.runners.start_failed,
        metrics.runners.ended,
        metrics.runners.retirement_asked,
        metrics.runners.limit_breached,
        metrics.runners.browser_exited,
        metrics.runners.restarted,
    ):
        count(word)
    metrics.egress.add(tenant, Traffic(requests=1, bytes_in=1, bytes_out=1))
    metrics.egress.refused(tenant, word)
    metrics.egress.count_blocked(tenant, {"image": 1})
    metrics.egress.upstream_failed(word, word, word)
    metrics.results.callback(word, 1.0)
    metrics.results.not_stored(word)
    metrics.modules.index_refused(word)
    metrics.modules.signature_failed(word)
    metrics.config.voted(word)
    metrics.secrets.requested("granted", tenant)
    metrics.secrets.expires(word, 1.0)
    metrics.redis.seconds.observe(word, 1.0)
    metrics.health.connection_dropped(word)
    metrics.health.self_check(word, failed=True)
    metrics.health.clock_jumped(word)


def test_the_number_of_samples_has_a_bound() -> None:
    metrics = Metrics(TENANTS)
    for number in range(HOSTILE):
        flood(metrics, number)
    metrics.runners.states(dict.fromkeys(map(str, range(HOSTILE)), 1), dict.fromkeys(map(str, range(HOSTILE)), 1))
    metrics.egress.upstreams({(f"p{number}", "host"): True for number in range(HOSTILE)})
    sets = Counter(
        sample.name
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    )
    assert max(sets.values()) <= MAX_SETS + 8
    assert sets["pageworker_job_latency_seconds_count"] == MAX_LABELS + 1
    samples = sum(len(family.samples) for family in metrics.registry.collect())
    assert samples <= MOST_SAMPLES, samples
    assert samples > MOST_SAMPLES * 0.9, "the flood does not reach every metric any more"


def test_the_bound_is_documented() -> None:
    assert f"at most {MOST_SAMPLES:,} samples" in (Path(__file__).parents[2] / "docs/metrics.md").read_text()
