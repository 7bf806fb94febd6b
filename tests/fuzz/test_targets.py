"""Each target runs its seeds and the committed corpus without a finding, and finds a mistake that is planted."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fuzz import __main__ as suite
from fuzz.judge import InputJudge
from fuzz.merge import inputs_in, smallest_cover
from fuzz.places import COMMITTED, REQUIREMENTS
from fuzz.registry import CONTROL, TARGETS, by_name
from fuzz.target import FuzzTarget
from fuzz.worker import ReportedFinding


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_has_no_finding(name: str) -> None:
    target = TARGETS[name]
    with InputJudge(target) as judge:
        for data in (*target.seeds, *inputs_in(COMMITTED / name)):
            finding = judge.check(data)
            assert finding is None, f"{data!r}\n{finding.text}"


def test_the_corpus_has_a_folder_for_each_target_and_no_other() -> None:
    assert {folder.name for folder in COMMITTED.iterdir()} <= set(TARGETS)


def _nothing(*_: Any, **__: Any) -> Any:
    return None


def _raise(*_: Any, **__: Any) -> Any:
    raise LookupError("planted")


EGRESS, SIGNING = "pageworker_sandbox.egress", "pageworker_sandbox.signing"
PLANTED: tuple[tuple[str, str, object], ...] = (
    ("gateway-session", f"{EGRESS}.origin_connector.check", _nothing),
    ("gateway-session", f"{EGRESS}.headers.BETWEEN_PROXIES", b"sec-"),
    ("gateway-session", f"{EGRESS}.session.tunnel", _raise),
    ("request-target", f"{EGRESS}.target._parse_v4", _raise),
    ("request-target", f"{EGRESS}.target.unmap", lambda address: address),
    ("request-head", f"{EGRESS}.headers._nominated", _raise),
    ("upstream-answer", f"{EGRESS}.upstream.fault_of_status", _raise),
    ("host-name", "pageworker_sandbox.hostname.IPv6Address", _raise),
    ("wire-frames", "pageworker_sandbox.wire.message_rules.next_state", _raise),
    ("package-archive", f"{SIGNING}.archive._check_entries", _raise),
    ("package-contents", f"{SIGNING}.manifest.parse_options", _raise),
    ("package-signature", f"{SIGNING}.minisig.VerifyKey", lambda key: _Trusting()),
    ("keys-and-index", f"{SIGNING}.index._check_names", _raise),
    ("signed-registry", f"{SIGNING}.minisig.VerifyKey", lambda key: _Trusting()),
    ("trust-file", f"{SIGNING}.trust_file._rule", _raise),
    ("pushed-job", "pageworker_supervisor.intake.admission.encode_result", _raise),
    ("settings-file", "pageworker_supervisor.config.toml_lines.error_line", lambda error, text: (0, "")),
)


class _Trusting:
    """Verifies anything."""

    def verify(self, *_: object) -> None:
        """Nothing is wrong."""


@pytest.mark.parametrize(("name", "attribute", "broken"), PLANTED)
def test_a_planted_mistake_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, attribute: str, broken: Callable[..., Any]
) -> None:
    monkeypatch.setattr(attribute, broken)
    target = TARGETS[name]
    with InputJudge(target) as judge:
        found = [judge.check(data) for data in (*target.seeds, *inputs_in(COMMITTED / name))]
    assert any(found)


def test_every_target_has_a_planted_mistake() -> None:
    assert {name for name, _, _ in PLANTED} == set(TARGETS)


def test_a_merged_corpus_takes_each_step_with_the_smallest_input() -> None:
    target = TARGETS["request-target"]
    longer, shorter = b"[fe80::1]", b"[::1]"
    assert shorter not in target.seeds
    bare = FuzzTarget("bare", target.run, target.raises, seeds=(b"a.test",))
    assert smallest_cover(bare, [longer, shorter, b"b.test"]) == [shorter]


@pytest.mark.parametrize("findings", [[], [ReportedFinding("raised", "KeyError at planted.py:1", "file")]])
def test_a_run_that_does_not_find_the_control_fails(
    monkeypatch: pytest.MonkeyPatch, findings: list[ReportedFinding]
) -> None:
    assert by_name(CONTROL.name) is CONTROL
    monkeypatch.setattr(suite, "install", lambda: None)
    monkeypatch.setattr(suite, "fuzz", lambda *_, **__: suite.TargetOutcome("planted", 5, 5, findings))
    monkeypatch.setattr(sys, "argv", ["fuzz"])
    assert suite.main() == 2


def test_the_control_has_the_mistake_that_must_be_found() -> None:
    with InputJudge(CONTROL) as judge:
        assert judge.check(b"PW1") is None
        assert judge.check(b"PW1:") is None
        found = judge.check(b"PW1:\xff....")
    assert found is not None
    assert found.where.startswith("IndexError at planted.py:")


def test_the_last_line_counts_everything() -> None:
    outcomes = (
        suite.TargetOutcome("a", 3, 5, ()),
        suite.TargetOutcome("b", 4, 6, [ReportedFinding("hang", "x", "file")]),
    )
    line = suite.summary(outcomes)
    assert (line["suite"], line["inputs"], line["findings"], line["edges"]) == ("fuzz", 7, 1, 11)
    assert line["targets"] == {"a": {"inputs": 3, "edges": 5}, "b": {"inputs": 4, "edges": 6}}


def test_the_suite_refuses_an_unknown_target() -> None:
    command = [sys.executable, "-m", "fuzz", "--target", "unknown"]
    ended = subprocess.run(command, cwd=COMMITTED.parents[1], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "unknown" in ended.stderr


def test_atheris_is_pinned_with_its_hashes() -> None:
    lines = REQUIREMENTS.read_text()
    assert "atheris==" in lines
    assert "--hash=sha256:" in lines
