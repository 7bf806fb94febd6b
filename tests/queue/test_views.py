"""What an operator sees is read from the rows of the functions' replies."""

from typing import Any

from pageworker_supervisor.contract.context_key import NO_EGRESS
from pageworker_supervisor.queue.views import TenantStats, stats_from, view_from

JOB: dict[str, Any] = {
    "ref": "acme/j1",
    "context": f"~{NO_EGRESS}",
    "domain": "-",
    "priority": "m",
    "state": "queued",
    "crashes": 1,
    "attempts_used": 2,
    "age_ms": 1500,
}


def test_a_waiting_job_without_domain_and_worker() -> None:
    view = view_from(JOB)
    assert (str(view.ref), view.state, view.priority, view.age_seconds) == ("acme/j1", "queued", "normal", 1.5)
    assert (view.profile_id, view.domain, view.worker_id, view.due_at_ms, view.why) == (None,) * 5


def test_a_delayed_job_says_when_and_why() -> None:
    view = view_from({**JOB, "state": "delayed", "domain": "shop.test", "due_at_ms": 7, "defer_reason": "no page"})
    assert (view.domain, view.due_at_ms, view.why) == ("shop.test", 7, "no page")


def test_queued_jobs_are_those_that_are_counted_nowhere_else() -> None:
    numbers = dict.fromkeys(
        ("active_tenants", "parked_tenants", "profiles_held", "outbox_entries", "dead_letters", "workers", "batches"), 0
    )
    tenant = {"tenant": "acme", "jobs": 10, "running": 2, "parked": True}
    row = {**numbers, "jobs": 10, "delayed": 3, "claimed": 2, "ending": 1, "tenants": [tenant]}
    row["paused"] = {"tenant": 2, "module": 0, "domain": 1, "budget": 1}
    stats = stats_from(row, 1)
    assert (stats.shard, stats.queued, stats.delayed, stats.running, stats.ending) == (1, 4, 3, 2, 1)
    assert stats.tenants == (TenantStats(tenant_id="acme", jobs=10, running=2, parked=True),)
    assert stats.paused == {"tenant": 2, "module": 0, "domain": 1, "budget": 1}
