"""An e-process that two groups of jobs have the same share of hits: it bets that the new version has more. Pure.

Each batch of jobs, n_old and n_new of them, multiplies the wealth of each bet by

    product over all jobs of  p(job) / p0(job)

where p is a Bernoulli probability with the share a (old) or b > a (new), and p0 one with the mean share
(n_old a + n_new b) / (n_old + n_new) for both. a and b are set before the batch is seen. Turner, Ly and Grünwald,
"Generic E-variables for exact sequential k-sample tests" (2024), prove that the expected factor is at most 1 while both
groups have the same share. It is smaller still if the new one has fewer. So the wealth, which begins at 1, ever reaches
1/α with a probability of at most α, whenever one looks (Ville's inequality).

The bets differ in how many times higher the odds of the new version are. Their wealths are averaged.
"""

import math

from msgspec import Struct

ODDS = (1.35, 2.0, 4.0, 10.0, 60.0)
"""How many times higher the odds of a hit are, one bet each."""
WEIGHTS = (0.4, 0.15, 0.15, 0.15, 0.15)
"""Of the bets: small differences take the most jobs, so they get the most."""
PRIOR_JOBS = 2.0
"""Jobs that count before any was seen, and the share of hits among them."""
PRIOR_SHARE = 0.1


class Hits(Struct, frozen=True):
    """How many jobs of the old and of the new version there are, and how many of them are hits, e.g. failed."""

    old_jobs: int = 0
    old_hits: int = 0
    new_jobs: int = 0
    new_hits: int = 0


class Bets(Struct, frozen=True):
    """The bets so far: what they have seen, and the logarithm of the wealth of each."""

    seen: Hits = Hits()
    logs: tuple[float, ...] = (0.0,) * len(ODDS)

    @property
    def e_value(self) -> float:
        """The mean wealth."""
        return math.fsum(weight * math.exp(min(log, 700.0)) for weight, log in zip(WEIGHTS, self.logs, strict=True))


def bet(bets: Bets, hits: Hits) -> Bets:
    """Bet on all jobs that are new since `bets.seen`. Without new jobs of both versions nothing is bet yet."""
    seen = bets.seen
    old_jobs, new_jobs = hits.old_jobs - seen.old_jobs, hits.new_jobs - seen.new_jobs
    if old_jobs <= 0 or new_jobs <= 0:
        return bets
    old_hits, new_hits = hits.old_hits - seen.old_hits, hits.new_hits - seen.new_hits
    share = (seen.old_hits + PRIOR_JOBS * PRIOR_SHARE) / (seen.old_jobs + PRIOR_JOBS)
    logs = []
    for odds, log in zip(ODDS, bets.logs, strict=True):
        higher = odds * share / (1 - share + odds * share)
        mean = (old_jobs * share + new_jobs * higher) / (old_jobs + new_jobs)
        logs.append(
            log
            + old_hits * math.log(share / mean)
            + (old_jobs - old_hits) * math.log((1 - share) / (1 - mean))
            + new_hits * math.log(higher / mean)
            + (new_jobs - new_hits) * math.log((1 - higher) / (1 - mean))
        )
    return Bets(hits, tuple(logs))
