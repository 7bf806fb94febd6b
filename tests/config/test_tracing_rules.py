"""Rules of the section `[tracing]`."""

import pytest

from pageworker_supervisor.config.tracing_rules import tracing_findings
from pageworker_supervisor.config.tracing_settings import TracingSettings


def found(settings: TracingSettings, *, has_secrets: bool = True) -> list[str]:
    return [".".join(path) for path, *_ in tracing_findings(settings, has_secrets=has_secrets)]


def test_usual_settings_are_fine() -> None:
    assert found(TracingSettings(), has_secrets=False) == []
    fine = TracingSettings(endpoint="https://c:4318", headers={"X-Org": "7"}, header_secrets={"Authorization": "otlp"})
    assert found(fine) == []


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        (TracingSettings(endpoint="c:4318"), "tracing.endpoint"),
        (TracingSettings(endpoint="grpc://c:4317"), "tracing.endpoint"),
        (TracingSettings(endpoint="http://me:correct-horse@c:4318"), "tracing.endpoint"),
        (TracingSettings(headers={"content-type": "x"}), "tracing.headers"),
        (TracingSettings(header_secrets={"Two Words": "otlp"}), "tracing.header_secrets"),
        (TracingSettings(headers={"X": "1"}, header_secrets={"x": "otlp"}), "tracing.header_secrets.x"),
    ],
)
def test_a_broken_rule_is_found_where_it_is(settings: TracingSettings, path: str) -> None:
    assert found(settings) == [path]


def test_a_secret_needs_a_backend_and_no_finding_shows_a_password() -> None:
    assert found(TracingSettings(header_secrets={"X": "otlp"}), has_secrets=False) == ["tracing.header_secrets"]
    findings = list(tracing_findings(TracingSettings(endpoint="http://me:correct-horse@c:4318"), has_secrets=True))
    assert "correct-horse" not in str(findings)
