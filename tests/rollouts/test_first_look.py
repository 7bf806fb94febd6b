"""The exact test at the first look: its size and its power at 39 jobs of the new version, by enumeration."""

import math
from functools import cache

import pytest

from pageworker_supervisor.rollouts.bets import Hits
from pageworker_supervisor.rollouts.decision import FIRST_LOOK_ERROR
from pageworker_supervisor.rollouts.first_look import FIRST_LOOK_JOBS, LEAST_HITS, MOST_JOBS, first_look_due, rejects

OLD, NEW = 156, 39
"""The old version has four times the jobs of the new one."""


@cache
def least_rejected() -> dict[int, int]:
    """By hits of the old version: the fewest of the new one that are rejected. More are rejected too."""
    found, least = {}, LEAST_HITS
    for old_hits in range(60):
        while least <= NEW and not rejects(Hits(OLD, old_hits, NEW, least), FIRST_LOOK_ERROR):
            least += 1
        found[old_hits] = least
    return found


def chance(jobs: int, hits: int, share: float) -> float:
    return math.comb(jobs, hits) * share**hits * (1 - share) ** (jobs - hits)


def rejected(old_share: float, new_share: float) -> float:
    """The probability that the new version is rejected."""
    tails = [0.0]
    for hits in range(NEW, -1, -1):
        tails.append(tails[-1] + chance(NEW, hits, new_share))
    tails.reverse()
    return sum(chance(OLD, old_hits, old_share) * tails[least] for old_hits, least in least_rejected().items())


@pytest.mark.parametrize("share", [0.01, 0.05, 0.08, 0.1, 0.13, 0.15, 0.19, 0.2, 0.23])
def test_equal_versions_are_rejected_with_at_most_the_error(share: float) -> None:
    assert rejected(share, share) <= FIRST_LOOK_ERROR


def test_four_times_the_failures_are_found_in_95_of_100_cases() -> None:
    assert rejected(0.1, 0.4) > 0.955
    assert rejected(0.1, 0.9) > 0.9999


def test_when_it_looks() -> None:
    assert not first_look_due(Hits(OLD, 0, FIRST_LOOK_JOBS - 1, 0))
    assert not first_look_due(Hits(FIRST_LOOK_JOBS - 1, 0, NEW, 0))
    assert first_look_due(Hits(FIRST_LOOK_JOBS, 0, FIRST_LOOK_JOBS, 0))


@pytest.mark.parametrize(
    ("hits", "found"),
    [
        (Hits(OLD, 0, NEW, LEAST_HITS - 1), False),
        (Hits(OLD, 0, NEW, LEAST_HITS), True),
        (Hits(OLD, 20, NEW, 5), False),
        (Hits(39, 4, 39, 20), True),
        (Hits(39, 20, 39, 20), False),
        (Hits(OLD, OLD, NEW, NEW), False),
        (Hits(MOST_JOBS + 1, 0, NEW, NEW), False),
    ],
)
def test_what_it_rejects(hits: Hits, found: bool) -> None:
    assert rejects(hits, FIRST_LOOK_ERROR) is found
