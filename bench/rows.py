"""The printed rows: one per measurement, with what it is compared with and the bound that it must keep."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec


class Bound(msgspec.Struct, frozen=True):
    """A row's `subject` must be at least, or at most, `limit`."""

    subject: Literal["value", "ratio"]
    rule: Literal["at least", "at most"]
    limit: float

    def kept(self, value: float, ratio: float | None) -> bool:
        """Whether the bound is kept. A missing ratio breaks it."""
        measured = value if self.subject == "value" else ratio
        if measured is None:
            return False
        return measured >= self.limit if self.rule == "at least" else measured <= self.limit

    def __str__(self) -> str:
        return f"{self.subject} {self.rule} {self.limit:g}"


BOUNDS = {
    "browser.warm_page_jobs_per_second": Bound("ratio", "at least", 0.85),
    "lean.full_jobs_per_second": Bound("ratio", "at least", 1.6),
    "lean.shell_jobs_per_second": Bound("ratio", "at least", 1.6),
    "gateway.http_cpu_per_page_cpu": Bound("value", "at most", 0.08),
    "gateway.https_cpu_per_page_cpu": Bound("value", "at most", 0.05),
    "gateway.http_download_bytes_per_second": Bound("ratio", "at least", 0.6),
    "gateway.https_download_bytes_per_second": Bound("ratio", "at least", 0.6),
    "api.bulk_jobs_per_second": Bound("ratio", "at least", 0.5),
    "gateway.open_connections": Bound("value", "at least", 500.0),
    "observe.cpu_ms_per_page": Bound("ratio", "at most", 1.05),
    "artifacts.cpu_ms_per_page": Bound("ratio", "at most", 1.05),
    "artifacts.slow_store_jobs_per_second": Bound("ratio", "at least", 0.95),
    "latency.push_to_handler_start_p50_ms": Bound("value", "at most", 10.0),
    "queue.jobs_per_second": Bound("value", "at least", 2500.0),
    "queue.jobs_per_second_vs_taskiq": Bound("ratio", "at least", 1.0),
    "queue.jobs_per_second_vs_streaq": Bound("ratio", "at least", 1.0),
    "queue.push_to_claim_p50_ms": Bound("value", "at most", 5.0),
    "queue.push_to_claim_p99_ms": Bound("value", "at most", 20.0),
    "queue.idle_commands_per_second_per_shard": Bound("value", "at most", 2.0),
    "queue.huge_backlog_jobs_per_second": Bound("ratio", "at least", 0.9),
    "queue.huge_backlog_jobs_per_second_vs_few_tenants": Bound("ratio", "at least", 0.9),
    "queue.bytes_per_queued_job": Bound("value", "at most", 1536.0),
    "quotas.jobs_per_cpu_second": Bound("ratio", "at least", 0.9),
    "quotas.huge_backlog_jobs_per_cpu_second": Bound("ratio", "at least", 0.9),
    "broken.neighbours_cpu_ms_per_job": Bound("ratio", "at most", 1.05),
    "broken.neighbours_cold_job_seconds": Bound("ratio", "at most", 1.3),
    "broken.jobs_without_a_named_error": Bound("value", "at most", 0.0),
    "budget.neighbours_cpu_ms_per_page": Bound("ratio", "at most", 1.05),
    "budget.jobs_that_were_not_cut": Bound("value", "at most", 0.0),
    "switch.jobs_per_second_vs_before": Bound("ratio", "at least", 2.0),
    "switch.first_navigation_p50_ms": Bound("ratio", "at most", 0.4),
    "versions.runner_private_mb": Bound("ratio", "at most", 1.1),
    "versions.swap_cpu_ms_per_job": Bound("ratio", "at most", 1.1),
    "fairness.p95_wait_beside_large_tenant_services": Bound("ratio", "at most", 1.1),
    "fairness.p95_wait_beside_large_tenant_seconds": Bound("ratio", "at most", 1.1),
    "flooded.light_tenant_p95_seconds": Bound("ratio", "at most", 1.1),
    "central.cpu_ms_per_job": Bound("ratio", "at most", 1.01),
    "central.redis_commands_per_job": Bound("ratio", "at most", 1.01),
    "fairness.weights_1_2_4_largest_deviation": Bound("value", "at most", 0.1),
    "fairness.low_priority_largest_gap_services": Bound("value", "at most", 13.0),
}


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. `ratio`: value divided by the value of `against` in the same round; the median of all rounds."""

    name: str
    value: float
    unit: str
    against: str | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    """The 95 % interval of the ratio's median, given where the bound is close to it."""

    def line(self) -> bytes:
        """The JSON line, with the bound if there is one."""
        return msgspec.json.encode(with_bound(msgspec.to_builtins(self)))


def with_bound(row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` with `bound` and `ok`, if it has a bound and does not hold these fields already."""
    bound = BOUNDS.get(row["name"])
    rounded = {key: significant(value) if isinstance(value, float) else value for key, value in dict(row).items()}
    if bound is None or "bound" in row:
        return rounded
    return {**rounded, "bound": str(bound), "ok": bound.kept(row["value"], row.get("ratio"))}


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Two of the values. The median of their distribution lies between them with a probability of 95 % or more.

    Source: order statistics and the binomial distribution. Needs six values.
    """
    ordered, count = sorted(values), len(values)
    below, missed = 0, 2 * 0.5**count
    while missed + 2 * math.comb(count, below + 1) * 0.5**count <= 0.05:
        below += 1
        missed += 2 * math.comb(count, below) * 0.5**count
    return ordered[below], ordered[count - 1 - below]


def significant(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}") if math.isfinite(value) else value


def compared(name: str, unit: str, against: str, ours: Sequence[float], theirs: Sequence[float]) -> BenchRow:
    """Median of ours, and the median of the ratios per round: a slow minute of the host affects both."""
    return BenchRow(
        name=name,
        value=statistics.median(ours),
        unit=unit,
        against=against,
        ratio=statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True)),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
