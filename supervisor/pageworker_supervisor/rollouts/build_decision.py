"""Decides between two builds of the worker, from counts of what canary and stable workers did. Pure.

As the decision about two versions of a module (decision.py): one probability of error, MOST_ERROR, is divided among the
tests, each pays its e-value times its share, and a sum of 1 means that the canary is worse. Of a canary that is not
worse, the sum ever reaches 1 with at most that probability, whenever one looks.

Failures have two exact tests. A canary that fails at 40 % in place of 10 % is found at the first, one that fails at
30 % at the second. Lost leases and restarts are rare, so their bets decide alone.
"""

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pageworker_supervisor.rollouts.bets import Bets, Hits, bet
from pageworker_supervisor.rollouts.bucket_limits import (
    BucketLimit,
    Counts,
    buckets_of,
    hits_of,
    look_at_limits,
    mean_e_value,
)
from pageworker_supervisor.rollouts.first_look import rejects

LOOKS = ((39, 0.0025), (99, 0.0040))
"""Exact tests of failures: attempts of each group at which one is made, and its probability of error."""
MOST_LOOK_ATTEMPTS = 5000
"""Of each group: with more, an exact test would take longer than a second, and the bets decide alone."""
BET_ERRORS = {"failures": 0.0005, "blocks": 0.0003, "seconds": 0.0004, "lost leases": 0.0003, "restarts": 0.0003}
"""Of the bets, which may be looked at any time."""
MOST_ERROR = sum(error for _, error in LOOKS) + sum(BET_ERRORS.values())
DOUBT = 5.0
"""A canary is not promoted while one of the bets has a larger e-value."""

BuildEnd = Literal["promote", "roll_back", "undecided"]


class BuildRules(Struct, frozen=True):
    """What a canary has to show before it is promoted: attempts of each group, and seconds of watching."""

    attempts: int
    seconds: float


class BuildMemory(Struct, frozen=True, kw_only=True):
    """What the decision about one canary has seen so far. `looks`: of each exact test that was made, whether it has
    rejected."""

    failures: Bets = Bets()
    blocks: Bets = Bets()
    seconds: tuple[BucketLimit, ...] = ()
    losses: Bets = Bets()
    restarts: Bets = Bets()
    looks: tuple[bool, ...] = ()


@dataclass(frozen=True)
class BuildDecision:
    """`error`: the sum; at 1 or above, the canary is rolled back."""

    memory: BuildMemory
    error: float
    end: BuildEnd
    evidence: str


def decide_build(memory: BuildMemory, counts: Counts, rules: BuildRules, seconds: float) -> BuildDecision:
    """Look at the counts once, `seconds` after the watch began. `old`: stable workers, `new`: canaries."""
    failures = hits_of(counts, "failed")
    buckets = buckets_of(counts)
    after = replace(
        memory,
        failures=bet(memory.failures, failures),
        blocks=bet(memory.blocks, hits_of(counts, "blocked")),
        seconds=look_at_limits(memory.seconds, buckets["old.seconds"], buckets["new.seconds"]),
        losses=bet(memory.losses, hits_of(counts, "losses", "tries")),
        restarts=bet(memory.restarts, hits_of(counts, "restarts", "minutes")),
        looks=_looks(memory.looks, failures),
    )
    e_values = _e_values(after)
    parts = {name: BET_ERRORS[name] * e_value for name, e_value in e_values.items()}
    parts["failures, exact test"] = float(any(after.looks))
    error = sum(parts.values())
    enough = min(failures.old_jobs, failures.new_jobs) >= rules.attempts and seconds >= rules.seconds
    end: BuildEnd = "undecided"
    if error >= 1:
        end = "roll_back"
    elif enough and max(e_values.values()) <= DOUBT:
        end = "promote"
    return BuildDecision(after, error, end, _evidence(counts, error, max(parts, key=parts.__getitem__)))


def _looks(taken: tuple[bool, ...], failures: Hits) -> tuple[bool, ...]:
    due = (error for attempts, error in LOOKS if min(failures.old_jobs, failures.new_jobs) >= attempts)
    new = tuple(due)[len(taken) :]
    return taken + tuple(rejects(failures, error, MOST_LOOK_ATTEMPTS) for error in new)


def _e_values(memory: BuildMemory) -> dict[str, float]:
    return {
        "failures": memory.failures.e_value,
        "blocks": memory.blocks.e_value,
        "seconds": mean_e_value(memory.seconds),
        "lost leases": memory.losses.e_value,
        "restarts": memory.restarts.e_value,
    }


def _evidence(counts: Counts, error: float, worst: str) -> str:
    def both(hit: str, trials: str) -> str:
        found = hits_of(counts, hit, trials)
        return f"{found.new_hits} of {found.new_jobs} canary, {found.old_hits} of {found.old_jobs} stable"

    return (
        f"e-value {error / MOST_ERROR:.3g} (limit {1 / MOST_ERROR:.3g}), mostly {worst}; "
        f"attempts failed {both('failed', 'jobs')}; blocked {both('blocked', 'jobs')}; "
        f"leases lost {both('losses', 'tries')}; minutes with a restart {both('restarts', 'minutes')}"
    )
