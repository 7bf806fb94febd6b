"""The rules of Prometheus: the shipped file is that of the template, and each alert fires, stays quiet and clears."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from alerts.promtool import promtool
from alerts.rules_file import ALERTS, DEPLOY, RECORDED, RECORDING, RULES, AlertRule, unknown_metrics
from deploy.prometheus.render_rules import TEMPLATE, render
from repository.sources import ROOT

TESTS = sorted((DEPLOY / "tests").glob("*.yml"))


def by_name(alert: AlertRule) -> str:
    """Its name in test ids."""
    return alert.name


def test_the_shipped_rules_are_those_of_the_template() -> None:
    assert RULES.read_text() == render(TEMPLATE.read_text()), "run render_rules.py"


def test_prometheus_accepts_the_rules_and_the_example() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", DEPLOY / "prometheus.yml")


def test_alertmanager_accepts_the_example() -> None:
    done = subprocess.run(
        ["amtool", "check-config", DEPLOY / "alertmanager.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_alertmanager_names_alerts_that_exist() -> None:
    names = {alert.name.removeprefix("Pageworker") for alert in ALERTS}
    matchers = re.findall(r'alertname =~? "?Pageworker\(?([\w|]+)', (DEPLOY / "alertmanager.yml").read_text())
    assert {name for text in matchers for name in text.split("|")} <= names


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_an_alert_fires_and_clears_at_the_right_time(file: Path) -> None:
    promtool("test", "rules", file)


def test_each_alert_has_its_tests() -> None:
    assert [file.stem for file in TESTS] == sorted(alert.page for alert in ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_the_tests_of_an_alert_see_it_fire_clear_and_stay_quiet(alert: AlertRule) -> None:
    """The first test ends with the alert cleared, and one test never has it."""
    cases = yaml.safe_load((DEPLOY / "tests" / f"{alert.page}.yml").read_text())["tests"]
    states = [[_fires(check, alert.name) for check in case["promql_expr_test"]] for case in cases]
    assert states[0].count(True) >= 1
    assert states[0][0] is False
    assert states[0][-1] is False
    assert any(not any(case) for case in states)


def _fires(check: dict[str, Any], name: str) -> bool:
    return any(name in sample["labels"] for sample in check["exp_samples"])


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_says_what_is_wrong_and_how_much(alert: AlertRule) -> None:
    assert alert.labels["severity"] in {"critical", "warning"}
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert re.search(r"\$value|value }}|since \d", alert.annotations["description"])
    assert alert.annotations["runbook_url"] == f"docs/runbooks/{alert.page}.md"


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_has_a_page_and_a_row(alert: AlertRule) -> None:
    text = (ROOT / alert.annotations["runbook_url"]).read_text()
    assert text.startswith(f"# {alert.name}\n\nSeverity: {alert.labels['severity']}.")
    headings = ["What it means", "What to look at", "How to mend it", "How to see that it is over"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == headings
    row = f"| [{alert.name}](runbooks/{alert.page}.md) | {alert.labels['severity']} |"
    assert row in (ROOT / "docs" / "alerts.md").read_text()


def test_each_page_and_row_is_about_an_alert() -> None:
    pages = {alert.page for alert in ALERTS}
    assert {file.stem for file in (ROOT / "docs" / "runbooks").iterdir()} == pages
    assert set(re.findall(r"\(runbooks/([\w-]+)\.md\)", (ROOT / "docs" / "alerts.md").read_text())) == pages


def test_each_recorded_series_is_defined_and_used() -> None:
    used = {name for alert in ALERTS for name in RECORDED.findall(alert.expression)}
    used |= {name for expression in RECORDING.values() for name in RECORDED.findall(expression)}
    assert used == set(RECORDING)


def test_each_metric_of_the_rules_exists() -> None:
    assert unknown_metrics([*RECORDING.values(), *(alert.expression for alert in ALERTS)]) == []


class TestRender:
    """The variable that tests divide all durations by."""

    def test_durations_and_seconds_are_divided(self) -> None:
        text = render("\ngroups:\n rate(x[<10m>]) > <<15m>> for <30s> or <1d>", 60)
        assert text.endswith("rate(x[10s]) > 15 for 500ms or 1440s")

    def test_a_divisor_of_one_leaves_the_text(self) -> None:
        assert render("# <5m>\n\ngroups:\n x[<5m>] > <<2h>>").endswith("groups:\n x[5m] > 7200")

    def test_no_duration_is_left_out(self) -> None:
        """A plain `5m` in the template would stay as it is in a test in minutes."""
        body = TEMPLATE.read_text().partition("\ngroups:")[2]
        plain = [line for line in body.splitlines() if re.search(r"(?<![<\w])\d+[smhd]\b(?!>)", line)]
        assert plain == []

    def test_prometheus_accepts_the_rules_of_a_test(self, tmp_path: Path) -> None:
        (tmp_path / "rules.yml").write_text(render(TEMPLATE.read_text(), 60))
        promtool("check", "rules", tmp_path / "rules.yml")
