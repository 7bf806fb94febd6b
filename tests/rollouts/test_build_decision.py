"""The decision about a new build of the worker, from counts alone."""

import pytest

from pageworker_supervisor.rollouts.build_decision import (
    LOOKS,
    MOST_ERROR,
    MOST_LOOK_ATTEMPTS,
    BuildDecision,
    BuildMemory,
    BuildRules,
    decide_build,
)
from rollouts.pairs import counts

RULES = BuildRules(attempts=200, seconds=600.0)
FAIL = {"old.jobs": 156, "old.failed": 16, "new.jobs": 39, "new.failed": 13}


def looked(*steps: dict[str, int], seconds: float = 0.0, rules: BuildRules = RULES) -> BuildDecision:
    """One look after each step."""
    memory = BuildMemory()
    for step in steps:
        found = decide_build(memory, step, rules, seconds)
        memory = found.memory
    return found


def test_an_idle_fleet_decides_nothing_however_long() -> None:
    found = looked({}, seconds=1e9)
    assert (found.end, found.memory) == ("undecided", BuildMemory())
    assert MOST_ERROR < 0.01
    # The canary alone, or the others alone, are nothing to compare with.
    assert looked(counts((0, 0), (5000, 5000)), seconds=1e9).end == "undecided"
    assert looked(counts((5000, 0), (0, 0)), seconds=1e9).end == "undecided"


@pytest.mark.parametrize(
    ("old", "new", "seconds", "end"),
    [
        (200, 200, 600.0, "promote"),
        (199, 400, 600.0, "undecided"),
        (400, 199, 600.0, "undecided"),
        (800, 200, 599.0, "undecided"),
    ],
)
def test_a_good_build_is_promoted_once_both_have_the_attempts_and_the_time_has_passed(
    old: int, new: int, seconds: float, end: str
) -> None:
    assert looked(counts((old, old // 10), (new, new // 10)), seconds=seconds).end == end


@pytest.mark.parametrize(("failed", "end"), [(24, "promote"), (34, "undecided")])
def test_a_doubtful_build_is_neither_promoted_nor_rolled_back(failed: int, end: str) -> None:
    steps = [counts((40 * n, 4 * n), (10 * n, failed * n // 20)) for n in range(1, 21)]
    found = looked(*steps, seconds=1e6)
    assert (found.end, found.error < 0.01) == (end, True)


def test_exact_tests_are_made_once_each_at_their_attempts() -> None:
    assert [attempts for attempts, _ in LOOKS] == [39, 99]
    assert looked(counts((152, 16), (38, 13))).memory.looks == ()
    first = looked(FAIL)
    assert (first.end, first.memory.looks) == ("roll_back", (True,))
    assert "mostly failures, exact test" in first.evidence
    assert "attempts failed 13 of 39 canary, 16 of 156 stable" in first.evidence
    passed = looked(counts((156, 16), (39, 4)))
    assert passed.memory.looks == (False,)
    again = decide_build(passed.memory, counts((160, 16), (40, 20)), RULES, 0.0)
    assert again.memory.looks == (False,)
    second = decide_build(passed.memory, counts((396, 40), (99, 30)), RULES, 0.0)
    assert (second.end, second.memory.looks) == ("roll_back", (False, True))
    # Both are due at once if many results come between two looks.
    assert looked(counts((800, 80), (200, 60))).memory.looks == (True, True)


def test_with_very_many_attempts_the_bets_decide_alone() -> None:
    many = counts((MOST_LOOK_ATTEMPTS + 1, 500), (150, 60))
    assert looked(many).memory.looks == (False, False)


@pytest.mark.parametrize(
    ("hit", "trials", "name"),
    [
        ("losses", "tries", "lost leases"),
        ("restarts", "minutes", "restarts"),
        ("blocked", "jobs", "blocks"),
    ],
)
def test_each_measure_alone_rolls_a_build_back(hit: str, trials: str, name: str) -> None:
    steps = [{f"old.{trials}": 4 * n, f"new.{trials}": n, f"new.{hit}": n} for n in range(1, 30)]
    found = looked(*steps)
    assert found.end == "roll_back"
    assert f"mostly {name}" in found.evidence
    both = [{**step, f"old.{hit}": step[f"old.{trials}"]} for step in steps]
    assert looked(*both).end == "undecided"


def test_a_slower_build_is_rolled_back() -> None:
    begun = {"old.jobs": 80, "new.jobs": 20, "old.seconds.10": 80, "new.seconds.10": 20}
    slow = {**begun, "old.jobs": 180, "new.jobs": 60, "old.seconds.10": 180, "new.seconds.11": 40}
    found = looked(begun, slow)
    assert (found.end, "mostly seconds" in found.evidence) == ("roll_back", True)
