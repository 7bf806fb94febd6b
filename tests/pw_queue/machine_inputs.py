"""What the machine of hypothesis chooses from."""

from hypothesis import strategies as st
from msgspec.structs import replace

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey, egress_digest
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.pauses import PauseKind
from pageworker_supervisor.queue.producer import QuotaLimits

WORKERS = ("w1", "w2", "w3")
TENANT_LIMITS = {
    "a": QuotaLimits(concurrency=3),
    "b": QuotaLimits(concurrency=50, rate_per_second=2.0, burst=3),
    "c": QuotaLimits(weight=4.0),
}
DOMAIN_LIMITS = {"x.test": QuotaLimits(concurrency=2), "y.test": QuotaLimits(rate_per_second=5.0, burst=2)}
MODULES = ("shop", "news")
CALM = LimitsTable(tenants=TENANT_LIMITS, domains=DOMAIN_LIMITS)
TABLES = (
    CALM,
    replace(CALM, fleet=QuotaLimits(concurrency=3)),
    replace(CALM, modules={"shop": QuotaLimits(concurrency=1), "ne*": QuotaLimits(rate_per_second=3.0, burst=2)}),
    replace(CALM, fleet=QuotaLimits(rate_per_second=4.0, burst=4), modules={"*": QuotaLimits(concurrency=2)}),
)
"""What the limits of the fleet and of modules change to and fro between. Those of tenants and domains stay."""
PAUSABLE: tuple[tuple[PauseKind, str], ...] = (
    *(("tenant", "a"), ("tenant", "b"), ("module", "shop"), ("module", "news"), ("domain", "x.test")),
    *(("domain", "y.test"),),
)
SHOP = egress_digest(["shop.test"])
VALUES = ((NO_EGRESS, ""), (SHOP, ""), (SHOP, "0123456789ab"))
CONTEXTS = [
    ContextKey(t, profile, *values) for t in TENANT_LIMITS for profile in (None, "p1", "p2") for values in VALUES
]
JOBS = st.integers(0, 20).map(lambda number: f"job-{number}")
"""Ids that all tenants use. In the ledger a job goes by its whole name."""
