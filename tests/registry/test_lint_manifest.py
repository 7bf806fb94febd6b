"""What a valid module.toml leaves out, or permits too widely."""

import pytest
from pw_modules.author import manifest

from pageworker_sandbox.signing import parse_manifest
from pageworker_supervisor.registry.lint_manifest import is_wide, lint_manifest

COMPLETE = "timeout_seconds = 5\negress = ['shop.example']\n[input]\n[output]\n"


def rules(text: str) -> list[tuple[str, str, int]]:
    lines: dict[tuple[str, ...], int] = {("egress",): 7, ("sdk",): 4}
    return [(each.rule, each.severity, each.line) for each in lint_manifest(parse_manifest(text), lines)]


def test_a_complete_manifest_has_no_findings() -> None:
    assert rules(manifest(more=COMPLETE)) == []


def test_what_is_not_there_is_reported_for_the_whole_file() -> None:
    assert rules(manifest()) == [
        ("input-schema", "warning", 0),
        ("output-schema", "warning", 0),
        ("timeout", "warning", 0),
    ]


def test_a_wide_glob_has_the_line_of_egress() -> None:
    assert rules(manifest(more=COMPLETE.replace("shop.example", "*.example"))) == [("egress", "warning", 7)]


@pytest.mark.parametrize("host", ["*", "*.com", "shop.*", "?", "*.*"])
def test_a_glob_over_a_top_level_domain_is_wide(host: str) -> None:
    assert is_wide(host)


@pytest.mark.parametrize("host", ["shop.example", "*.shop.example", "cdn-*.shop.example", "localhost", "127.0.0.1"])
def test_a_host_or_the_hosts_of_one_domain_are_not(host: str) -> None:
    assert not is_wide(host)


@pytest.mark.parametrize(
    ("wanted", "severity"),
    [(">=2,<3", "error"), ("<1", "error"), (">=1", "warning"), ("==1", None), (">=1.1,<2", None)],
)
def test_the_range_of_the_sdk(wanted: str, severity: str | None) -> None:
    text = manifest(more=COMPLETE).replace(">=1,<2", wanted)
    assert rules(text) == ([] if severity is None else [("sdk", severity, 4)])
