"""A tenant with and without settings, pause and usage."""

from pageworker_supervisor.api.status_page import tenant_views
from pageworker_supervisor.api.status_page.layout import PageView
from pageworker_supervisor.api.status_page.markup import Address, element, rendered
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.queue.tenants import usage_from
from pageworker_supervisor.queue.usage import UsageHour

HERE = Address("/tenant")
PAUSE = {"kind": "t", "name": "acme", "reason": "late payment", "by": "ann", "since_ms": 1}
ROW = {
    "tenant": "acme",
    "limits": "2.5 40 3 100",
    "tokens": 7.0,
    "jobs": 1000,
    "bytes": 700,
    "running": 3,
    "delayed": 2,
    "ending": 1,
    "dead_letters": 0,
    "dead_bytes": 0,
}
HOUR = UsageHour(
    tenant_id="acme", hour=0, page_seconds=3, requests=1, bytes_in=1, bytes_out=1, jobs={"timed_out": 2, "dead": 1}
)


def shown(view: PageView) -> str:
    return rendered(element("p", *view.content))


def test_a_paused_tenant_with_usage() -> None:
    used = usage_from({**ROW, "pause": PAUSE, "throttled": "paused"}, 0, 3)
    text = shown(tenant_views.tenant("Tenant acme", HERE, used, TenantSettings(), [HOUR], []))
    for part in ("late payment", "1,000 of 1,000,000", "7 of 100", "2 timed out, 1 dead", "3 jobs per second"):
        assert part in text


def test_a_tenant_whose_settings_are_gone() -> None:
    used = usage_from({**ROW, "limits": "1 40 0 100", "tokens": None}, 0, 0)
    text = shown(tenant_views.tenant("Overview", HERE, used, None, [], []))
    assert "no limit" in text
    assert "No job has ended today" in text
    listed = shown(tenant_views.tenants(HERE, [used], "acme"))
    assert "/tenant?tenant_id=acme" in listed
    assert "Next page" in listed
