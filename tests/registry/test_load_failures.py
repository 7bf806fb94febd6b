"""Versions that do not load, and which one goes on."""

from itertools import pairwise

import pytest

from pageworker_supervisor.contract.worker_report import MODULES_REPORTED
from pageworker_supervisor.registry.load_failures import MAX_BEFORE, MAX_REFUSED, MOST_REASON, LoadFailures
from pageworker_supervisor.registry.resolve import Move

NAME = "shop.product"
WHY = "no `x`"


def moved(*versions: str, channel: str = "stable") -> LoadFailures:
    """A channel that pointed to these versions, one after the other."""
    failures = LoadFailures()
    for before, after in pairwise(versions):
        failures.moved([Move(NAME, channel, before, after)])
    return failures


def test_the_version_before_goes_on_for_the_tenant_whose_runner_has_reported() -> None:
    failures = moved("1.0.0", "1.1.0")
    assert failures.instead_of("acme", NAME, "1.1.0", "stable") is None
    assert failures.refuse("acme", NAME, "1.1.0", WHY)
    assert not failures.refuse("acme", NAME, "1.1.0", WHY)
    assert failures.is_refused("acme", NAME, "1.1.0")
    assert not failures.is_refused("other", NAME, "1.1.0")
    assert failures.instead_of("acme", NAME, "1.1.0", "stable") == "1.0.0"
    assert failures.instead_of("other", NAME, "1.1.0", "stable") is None
    assert failures.instead_of("acme", "shop.other", "1.1.0", "stable") is None
    assert failures.instead_of("acme", NAME, "1.1.0", "canary") is None, "that channel had no version before"


def test_versions_are_left_out_one_by_one_until_none_is_left() -> None:
    failures = moved("1.0.0", "1.1.0", "1.2.0")
    for version, before in (("1.2.0", "1.1.0"), ("1.1.0", "1.0.0"), ("1.0.0", None)):
        failures.refuse("acme", NAME, version, WHY)
        assert failures.instead_of("acme", NAME, "1.2.0", "stable") == before


def test_a_channel_that_was_moved_back_does_not_move_on() -> None:
    failures = moved("1.1.0", "1.0.0")
    failures.refuse("acme", NAME, "1.0.0", WHY)
    assert failures.instead_of("acme", NAME, "1.0.0", "stable") is None


@pytest.mark.parametrize("move", [Move(NAME, "stable", None, "1.0.0"), Move(NAME, "stable", "0.9.0", None)])
def test_a_channel_that_begins_or_ends_has_no_version_before(move: Move) -> None:
    failures = LoadFailures()
    failures.moved([move])
    failures.refuse("acme", NAME, "1.0.0", WHY)
    assert failures.instead_of("acme", NAME, "1.0.0", "stable") is None


def test_what_is_remembered_is_bounded() -> None:
    failures = moved(*(f"1.{number}.0" for number in range(MAX_BEFORE + 3)))
    assert failures._before[NAME, "stable"] == [f"1.{number}.0" for number in range(2, MAX_BEFORE + 2)]
    for number in range(MAX_REFUSED + 1):
        failures.refuse("acme", NAME, f"1.{number}.0", WHY)
    assert len(failures._refused) == MAX_REFUSED
    assert failures.refuse("acme", NAME, "1.0.0", WHY), "the oldest one was dropped"


def test_the_newest_are_reported_first_and_shortened() -> None:
    failures = LoadFailures()
    for number in range(MODULES_REPORTED + 5):
        failures.refuse("acme", NAME, f"1.{number}.0", f"line\x1b {number} " + "x" * 1000)
    assert not failures.refuse("acme", NAME, f"1.{MODULES_REPORTED + 4}.0", "another reason")
    newest = failures.newest
    assert len(newest) == MODULES_REPORTED
    assert newest[0].version == f"1.{MODULES_REPORTED + 4}.0"
    assert (newest[0].module, newest[0].tenant_id, len(newest[0].reason)) == (NAME, "acme", MOST_REASON)
    assert newest[0].reason.startswith("line")
    assert "\x1b" not in newest[0].reason
