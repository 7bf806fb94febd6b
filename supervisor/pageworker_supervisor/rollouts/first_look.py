"""An exact test at one moment: once the new version has FIRST_LOOK_JOBS jobs. Pure.

A bet that must be right at any time gains slowly: nearly all of a small probability of error is worth more at one early
look. The test rejects if the new version has LEAST_HITS hits or more, and its share of hits is so far above that of the
old one that this, or more, has a probability of at most `error`, whatever the common share is (the largest probability
over all shares; Barnard 1945, with the pooled z statistic). So its e-value is 1/error if it rejects, else 0.
"""

import math
from functools import lru_cache

from pageworker_supervisor.rollouts.bets import Hits

FIRST_LOOK_JOBS = 39
"""Jobs of the new version: a version that fails four times as often as one that fails at 10 % is rolled back before its
40th job."""
LEAST_HITS = 8
MOST_JOBS = 1000
"""Of each version. With more jobs than this at the first look, the bets decide alone: the sum would take too long."""
_SHARES = tuple(number / 200 for number in range(1, 200))


def first_look_due(jobs: Hits) -> bool:
    """Whether there are enough jobs of both versions."""
    return min(jobs.new_jobs, jobs.old_jobs) >= FIRST_LOOK_JOBS


def rejects(jobs: Hits, error: float, most_jobs: int = MOST_JOBS) -> bool:
    """Whether the new version has too many hits, at this probability of error. Never with more than `most_jobs`."""
    if jobs.new_hits < LEAST_HITS or max(jobs.new_jobs, jobs.old_jobs) > most_jobs:
        return False
    return _largest_probability(jobs) <= error


@lru_cache(4096)
def _largest_probability(jobs: Hits) -> float:
    """Of what was seen, or more, over all shares that both versions may have."""
    frontier = _frontier(jobs)
    return max(_probability(jobs, frontier, share) for share in _SHARES)


def _frontier(jobs: Hits) -> list[int]:
    """By the hits of the old version: the fewest hits of the new one that are as extreme as what was seen."""
    seen = _z(jobs.old_jobs, jobs.old_hits, jobs.new_jobs, jobs.new_hits) - 1e-9
    frontier, least = [], LEAST_HITS
    for old_hits in range(jobs.old_jobs + 1):
        # z falls with the hits of the old version, so the frontier only rises.
        while least <= jobs.new_jobs and _z(jobs.old_jobs, old_hits, jobs.new_jobs, least) < seen:
            least += 1
        frontier.append(least)
    return frontier


def _probability(jobs: Hits, frontier: list[int], share: float) -> float:
    tail = _upper_tails(jobs.new_jobs, share)
    old = _probabilities(jobs.old_jobs, share)
    return math.fsum(mass * tail[least] for mass, least in zip(old, frontier, strict=True))


def _probabilities(jobs: int, share: float) -> list[float]:
    """Of each number of hits: the binomial distribution."""
    odds = share / (1 - share)
    logs = [jobs * math.log1p(-share)]
    for hits in range(1, jobs + 1):
        logs.append(logs[-1] + math.log(odds * (jobs - hits + 1) / hits))
    return [math.exp(log) for log in logs]


def _upper_tails(jobs: int, share: float) -> list[float]:
    """Of at least so many hits; the last, of more than all, is 0."""
    tails = [0.0]
    for mass in reversed(_probabilities(jobs, share)):
        tails.append(tails[-1] + mass)
    return tails[::-1]


def _z(old_jobs: int, old_hits: int, new_jobs: int, new_hits: int) -> float:
    share = (old_hits + new_hits) / (old_jobs + new_jobs)
    variance = share * (1 - share) * (1 / old_jobs + 1 / new_jobs)
    return (new_hits / new_jobs - old_hits / old_jobs) / math.sqrt(variance) if variance > 0 else 0.0
