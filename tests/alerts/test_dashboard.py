"""The dashboard for Grafana: Prometheus can read each of its queries, and each names metrics that exist."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from alerts.promtool import promtool
from alerts.rules_file import RECORDED, RECORDING, unknown_metrics
from repository.sources import ROOT

BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "pageworker.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}

SEED = {
    "latency percentiles": "histogram_quantile(0.99, sum by (le) (rate(pageworker_job_latency_seconds_bucket",
    "success per endpoint": 'sum by (module) (rate(pageworker_jobs_total{module=~"$module", status="succeeded"}',
    "errors per endpoint": "sum by (module, status) (rate(pageworker_jobs_total{",
    "pool utilisation": "/ (sum by (instance) (pageworker_page_pool_size",
    "Chromium restarts": "sum by (reason) (increase(pageworker_browser_exits_total",
    "Redis lag": "(rate(pageworker_redis_seconds_bucket",
    "queue by state": "max by (state) (pageworker_fleet_jobs)",
    "queue by age": "max by (state) (pageworker_fleet_oldest_job_seconds)",
    "throttled": "pageworker_fleet_throttled_tenants",
    "egress": "pageworker_egress_bytes_total",
    "memory per runner": "pageworker_runner_memory_bytes",
}
"""What the dashboard has to show, and the beginning of a query for it."""


def filled_in(expression: str) -> str:
    """The query with values in place of Grafana's variables."""
    return re.sub(r"\$(module|instance)", ".*", expression.replace("$__rate_interval", "1m"))


def test_prometheus_parses_each_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": filled_in(expression)}
        for number, expression in enumerate(EXPRESSIONS.values())
    ]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_each_metric_of_a_query_exists() -> None:
    assert unknown_metrics(EXPRESSIONS.values()) == []
    recorded = {name for expression in EXPRESSIONS.values() for name in RECORDED.findall(expression)}
    assert sorted(recorded - set(RECORDING)) == []


@pytest.mark.parametrize("subject", SEED)
def test_the_dashboard_shows(subject: str) -> None:
    assert any(SEED[subject] in expression for expression in EXPRESSIONS.values())


def test_variables_are_defined_and_used() -> None:
    defined = {variable["name"] for variable in BOARD["templating"]["list"]}
    text = json.dumps(BOARD["panels"])
    assert {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")} == defined


def test_no_two_panels_are_in_one_place() -> None:
    def area(panel: dict[str, Any]) -> tuple[int, int, int, int]:
        place = panel["gridPos"]
        return place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]

    for one, other in combinations(map(area, BOARD["panels"]), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
