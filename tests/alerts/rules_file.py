"""What the rules of Prometheus hold: alerts, expressions, and the names in them. Read only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml
from repository.sources import ROOT

DEPLOY = ROOT / "deploy" / "prometheus"
RULES = DEPLOY / "pageworker.rules.yml"

METRIC = re.compile(r"\bpageworker_[a-z0-9_]+")
RECORDED = re.compile(r"\bpageworker:[a-z0-9_:]+")


@dataclass(frozen=True)
class AlertRule:
    """One alert as the rules define it."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def page(self) -> str:
        """The name of its runbook page and of its promtool tests, without suffix: `queue-too-old`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.name.removeprefix("Pageworker")).lower()


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


ALERTS = [
    AlertRule(rule["alert"], rule["expr"], rule["labels"], rule["annotations"]) for rule in _rules() if "alert" in rule
]

RECORDING = {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}
"""Expression by name of the recorded series."""


def metric_of_sample(name: str) -> str:
    """The metric that a sample belongs to: a histogram has samples with suffixes."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def metrics_in(expression: str) -> set[str]:
    """Names of the metrics that an expression reads, without those that are recorded."""
    return {metric_of_sample(name) for name in METRIC.findall(expression)}


FLEET = "pageworker_fleet_"
"""Beginning of the metrics of the fleet process."""


def unknown_metrics(expressions: Iterable[str]) -> list[str]:
    """What the expressions name, and docs/metrics.md does not list. Other tests compare that page with the code."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    known = set(re.findall(r"^\| `(pageworker_\w+)` \|", page, re.MULTILINE))
    named = {name for expression in expressions for name in metrics_in(expression)}
    return sorted(name for name in named - known if FLEET in page or not name.startswith(FLEET))
