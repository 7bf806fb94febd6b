"""Counts of two groups of jobs as hits: jobs with a mark, and jobs above a limit of seconds or bytes. Pure.

The old group sets the limits: half of its jobs, and nine tenths of them, are at or below. A job above a limit is a hit.
"""

from collections.abc import Mapping
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from pageworker_supervisor.rollouts.bets import Bets, Hits, bet

ARMS = ("old", "new")
MEASURES = ("seconds", "bytes")
LIMIT_JOBS = 40
"""Jobs of the old version that succeeded, before limits of seconds and bytes are set."""
QUANTILES = (0.5, 0.9)
"""Of the old version: the limits."""

Counts = Mapping[str, int]
"""Jobs by counter (observation.py)."""


class BucketLimit(Struct, frozen=True):
    """Bets on how many jobs are above a bucket. They see only jobs that ended after the limit was set."""

    above: int
    bets: Bets


def hits_of(counts: Counts, hit: str, trials: str = "jobs") -> Hits:
    """How many of the `trials` of both groups are a `hit`."""
    return Hits(*(counts.get(f"{arm}.{name}", 0) for arm in ARMS for name in (trials, hit)))


def buckets_of(counts: Counts) -> Mapping[str, Mapping[int, int]]:
    """Jobs by bucket, by group and measure, e.g. of `old.seconds`."""
    found: dict[str, dict[int, int]] = {f"{arm}.{measure}": {} for arm in ARMS for measure in MEASURES}
    for name, jobs in counts.items():
        measure, _, bucket = name.rpartition(".")
        if measure in found and bucket.isdecimal():
            found[measure][int(bucket)] = jobs
    return found


def look_at_limits(
    limits: tuple[BucketLimit, ...], old: Mapping[int, int], new: Mapping[int, int]
) -> tuple[BucketLimit, ...]:
    """Bet on the jobs above each limit. The limits are set once the old group has enough jobs."""
    if limits:
        return tuple(replace(each, bets=bet(each.bets, _above(old, new, each.above))) for each in limits)
    total = sum(old.values())
    if total < LIMIT_JOBS:
        return ()
    found = []
    for quantile in QUANTILES:
        below = accumulate(old[bucket] for bucket in sorted(old))
        above = next(bucket for bucket, jobs in zip(sorted(old), below, strict=True) if jobs >= quantile * total)
        found.append(BucketLimit(above, Bets(seen=_above(old, new, above))))
    return tuple(found)


def mean_e_value(limits: tuple[BucketLimit, ...]) -> float:
    """Of the bets on all limits; 1 before they are set."""
    return sum(limit.bets.e_value for limit in limits) / len(limits) if limits else 1.0


def _above(old: Mapping[int, int], new: Mapping[int, int], limit: int) -> Hits:
    hits = (sum(jobs for bucket, jobs in arm.items() if bucket > limit) for arm in (old, new))
    return Hits(sum(old.values()), next(hits), sum(new.values()), next(hits))
