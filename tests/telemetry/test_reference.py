"""The table of metrics is generated from the code."""

import re
from pathlib import Path

from pageworker_supervisor.telemetry.api_metrics import api_metrics_table
from pageworker_supervisor.telemetry.fleet_metrics import fleet_metrics_table
from pageworker_supervisor.telemetry.reference import metrics_table

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_the_table_is_current() -> None:
    assert metrics_table() in PAGE, "run python -m pageworker_supervisor.telemetry.reference"
    assert fleet_metrics_table() in PAGE, "run python -m pageworker_supervisor.telemetry.reference"
    assert api_metrics_table() in PAGE, "run python -m pageworker_supervisor.telemetry.reference"


def test_the_metrics_worth_an_alert_exist() -> None:
    prose = PAGE.replace(metrics_table(), "").replace(fleet_metrics_table(), "").replace(api_metrics_table(), "")
    named = set(re.findall(r"`(pageworker_\w+)", prose))
    assert named
    assert all(f"| `{name}` |" in metrics_table() for name in named)
