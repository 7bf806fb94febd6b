"""Mistakes in the policies of blockers are found with their place."""

from typing import Any

import msgspec
import pytest

from pageworker_supervisor.config.blocker_rules import blocker_findings
from pageworker_supervisor.config.settings import Settings

PROXIES = {"other": {"upstreams": ["http://p.test:3128"], "tenants": ["acme"]}}


def findings(policy: dict[str, Any], tenant: str = "acme", kind: str = "captcha") -> list[tuple[str, str]]:
    settings = msgspec.convert({"tenants": {tenant: {"blockers": {kind: policy}}}, "proxies": PROXIES}, Settings)
    return [(".".join(path), wanted) for path, _, wanted, _ in blocker_findings(settings)]


def test_policies_without_a_mistake() -> None:
    assert findings({}) == []
    assert findings({"retries": 2, "proxy": "other", "cool_profile_seconds": 60}, kind="*") == []


@pytest.mark.parametrize(
    ("policy", "tenant", "at", "told"),
    [
        ({"cool_profile_seconds": 59}, "acme", "cool_profile_seconds", "at least 60"),
        ({"proxy": "other"}, "acme", "proxy", "`retries`"),
        ({"retries": 1, "proxy": "none"}, "acme", "proxy", "(other)"),
        ({"retries": 1, "proxy": "other"}, "beta", "proxy", "may use"),
    ],
)
def test_mistakes(policy: dict[str, Any], tenant: str, at: str, told: str) -> None:
    ((path, wanted),) = findings(policy, tenant)
    assert path == f"tenants.{tenant}.blockers.captcha.{at}"
    assert told in wanted


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(msgspec.ValidationError, match="annoyance"):
        findings({}, kind="annoyance")
