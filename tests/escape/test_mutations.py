"""The table of docs/mechanisms.md: each row is true, and every mechanism has a row."""

import inspect
import re

import pytest
from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy
from pw_escape.attacks import ATTACKS
from pw_escape.client import AttackHost
from pw_escape.runs import AttackRun, Kind, runs
from pw_escape.table import DOCUMENT, ROWS, AttackRow

from pageworker_sandbox.confine.landlock import AccessFs
from pageworker_sandbox.launch import bubblewrap, launch_plan, launcher, seccomp
from pageworker_sandbox.launch.seccomp import PolicyName

BY_NAME = {attack.name: attack for attack in ATTACKS}
ROOTS_OWN = {
    *(
        "lookup_dcookie",
        "nfsservctl",
        "stime",
        "umount",
        "uselib",
        "vm86",
    ),  # removed from Linux, or of other architectures
    "vhangup",  # would end the session of the user who runs the tests
}
"""Calls that the runner's filter names and no attack tries."""


def row_runs(row: AttackRow, kind: Kind) -> list[AttackRun]:
    attack = BY_NAME.get(row.attack)
    found = runs((attack,), kind) if attack is not None else []
    return [run for run in found if kind is Kind.CONTROL or run.mechanism == row.mechanism]


def parametrized(kind: Kind) -> pytest.MarkDecorator:
    pairs = [(row, run) for row in ROWS for run in row_runs(row, kind)]
    pairs.sort(key=lambda pair: repr(pair[1].order))
    params = [pytest.param(row, run, id=f"{run.mode.value}: {row.mechanism}: {row.attack}") for row, run in pairs]
    return pytest.mark.parametrize(("row", "run"), params)


def judge(hosts: dict[StartedBy, AttackHost], run: AttackRun) -> None:
    if run.mode not in hosts:
        pytest.skip("only root can start a worker as root")
    end = hosts[run.mode].end(run)
    if end.kind == "Unavailable":
        pytest.skip(f"not on this machine: {end.text}")
    assert end.kind in run.expected, f"{end.kind or 'it got through'}: {end.text}"


@pytest.mark.sandbox
@parametrized(Kind.ALONE)
def test_a_mechanism_stops_its_attack_by_itself(
    hosts: dict[StartedBy, AttackHost], row: AttackRow, run: AttackRun
) -> None:
    assert run.without == row.overlaps
    judge(hosts, run)


@pytest.mark.sandbox
@parametrized(Kind.CONTROL)
def test_without_it_the_attack_gets_through(hosts: dict[StartedBy, AttackHost], row: AttackRow, run: AttackRun) -> None:
    assert run.without == {row.mechanism, *row.overlaps}
    judge(hosts, run)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.mechanism)
def test_a_row_tells_what_its_attack_says(row: AttackRow) -> None:
    attack: Attack = BY_NAME[row.attack]
    assert row.mechanism in attack.proofs
    assert row.overlaps == attack.everything - {row.mechanism}


def test_every_mechanism_that_stops_an_attack_has_one_row() -> None:
    mechanisms = [row.mechanism for row in ROWS]
    assert len(mechanisms) == len(set(mechanisms))
    assert set(mechanisms) == {mechanism for attack in ATTACKS for mechanism in attack.proofs}


def test_every_namespace_of_a_sandbox_has_a_row() -> None:
    words = bubblewrap.arguments((), "/stage", bubblewrap.Descriptors(9), network=False, rename=True)
    unshared = {word.removeprefix("--unshare-") for word in words if word.startswith("--unshare-")}
    assert unshared == set(m.NAMESPACES.values())
    assert set(m.NAMESPACES) <= {row.mechanism for row in ROWS}


def test_every_limit_has_a_row() -> None:
    limits = launch_plan.ProcessLimits(1, 1).rlimits(own_user=True)
    assert len(limits) == len(m.RLIMITS)
    assert set(m.RLIMITS.values()) <= {row.mechanism for row in ROWS}


def test_every_right_of_landlock_has_a_row() -> None:
    rights = {m.landlock(right.name or "") for right in AccessFs} | {
        m.landlock(name) for name in ("TCP", "SIGNAL", "ABSTRACT_UNIX")
    }
    assert rights <= {row.mechanism for row in ROWS}


def test_every_call_that_the_runners_filter_names_is_attacked() -> None:
    judged = {
        name
        for rule in seccomp.policy("runner").syscalls
        if rule.action == "SCMP_ACT_ERRNO" or rule.args
        for name in rule.names
    }
    assert {m.runner_filter(name) for name in judged - ROOTS_OWN} <= {row.mechanism for row in ROWS}


@pytest.mark.parametrize(("policy", "group"), [("gateway", m.GATEWAY_FILTER), ("dialer", m.DIALER_FILTER)])
def test_so_is_every_call_that_other_filters_judge_by_its_arguments(policy: PolicyName, group: str) -> None:
    judged = {name for rule in seccomp.policy(policy).syscalls if rule.args for name in rule.names}
    rows = {row.mechanism for row in ROWS}
    assert {f"{group}: {name}" for name in judged} <= rows


def test_every_step_of_the_launcher_is_one_of_the_mechanisms() -> None:
    # A new step needs a row in the table. Then add it here.
    known = {
        "ignore signals",  # of the operator's terminal: for an orderly end, not against an attack
        "join the cgroup",
        "limit resources",
        "make a mount namespace",
        "stage the root",
        "become the sandbox's user",
        "give up privileges",
        "die with the supervisor",
        "start bubblewrap",
    }
    listed = re.search(r"steps: .*?= \((.*?)\n    \)\n", inspect.getsource(launcher), re.S)
    assert listed is not None
    assert set(re.findall(r'^        \("([^"]+)"', listed[1], re.M)) == known


def test_the_trust_model_links_to_the_table() -> None:
    assert "(mechanisms.md)" in (DOCUMENT.parent / "trust.md").read_text()


def test_the_trust_model_names_sections_and_tests_that_exist() -> None:
    trust = (DOCUMENT.parent / "trust.md").read_text()
    rows = [line for line in trust.splitlines() if line.startswith("| ") and line.count("|") == 4]
    assert len(rows) > 10
    headings = re.findall(r"^## (.*)$", DOCUMENT.read_text(), re.M)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for row in rows[1:]:
        proof = row.split("|")[3]
        sections = set(re.findall(r"mechanisms\.md#([a-z0-9-]+)", proof))
        tests = re.findall(r"`(tests/[a-z0-9_/]+\.py)`", proof)
        assert sections | set(tests), row
        assert sections <= anchors
        assert all((DOCUMENT.parents[1] / test).exists() for test in tests), row
