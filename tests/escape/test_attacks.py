"""Every attack: a whole sandbox refuses it, each of its mechanisms alone refuses it, without them it succeeds."""

from collections.abc import Callable

import pytest
from pw_escape.attack import StartedBy
from pw_escape.attacks import ATTACKS
from pw_escape.client import AttackHost, End
from pw_escape.runs import AttackRun, Kind, runs

pytestmark = pytest.mark.sandbox
Record = Callable[[str, object], None]


def parametrized(kind: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("run", [pytest.param(run, id=run.id) for run in runs(ATTACKS, kind)])


def ended(hosts: dict[StartedBy, AttackHost], run: AttackRun) -> End:
    if run.mode not in hosts:
        pytest.skip("only root can start a worker as root")
    end = hosts[run.mode].end(run)
    assert end.kind not in ("unprepared", "lost"), end.text
    return end


@parametrized(Kind.REFUSED)
def test_a_whole_sandbox_refuses_it(
    hosts: dict[StartedBy, AttackHost], run: AttackRun, record_property: Record
) -> None:
    record_property("refused", [run.attack.name, run.mode.value])
    end = ended(hosts, run)
    if end.kind == "Unavailable":
        pytest.skip(f"not on this machine: {end.text}")
    assert end.kind in run.expected, f"{end.kind or 'it got through'}: {end.text}"


@parametrized(Kind.ALONE)
def test_a_mechanism_refuses_it_by_itself(hosts: dict[StartedBy, AttackHost], run: AttackRun) -> None:
    end = ended(hosts, run)
    if end.kind == "Unavailable":
        pytest.skip(f"not on this machine: {end.text}")
    assert end.kind in run.expected, f"{end.kind or 'it got through'}: {end.text}"


@parametrized(Kind.CONTROL)
def test_it_gets_through_without_them(
    hosts: dict[StartedBy, AttackHost], run: AttackRun, record_property: Record
) -> None:
    record_property("control", [run.attack.name, run.mode.value])
    end = ended(hosts, run)
    if end.kind == "Unavailable":
        pytest.skip(f"not on this machine: {end.text}")
    assert end.kind in run.expected, f"{end.kind}: {end.text}"


def test_every_attack_has_a_name_of_its_own_and_an_end_that_tells_a_refusal_from_none() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(names) == len(set(names))
    for attack in ATTACKS:
        refusals = set("|".join((attack.refused, *attack.proofs.values())).split("|"))
        assert not refusals & {*attack.reached, ""}, attack.name
