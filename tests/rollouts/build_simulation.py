"""Simulated canaries with the product's own decision: how often one is rolled back, and after how many attempts.

The stable workers have four times the attempts of the canary. Every measure of both has one distribution, apart from
the failures, so that each run shows the errors of all tests together.
"""

import random
from collections import Counter

from pageworker_supervisor.rollouts.build_decision import LOOKS, BuildMemory, BuildRules, decide_build
from rollouts.simulation import SimulatedRollouts, ended

OLD_PER_NEW = 4
EACH_ATTEMPT = LOOKS[-1][0] + 2
"""After each of these first attempts of the canary, the decision looks at the counts."""
LOST = 0.005
RESTARTS = 0.02
ATTEMPTS_PER_MINUTE = 10
"""Of the canary."""
NEVER = BuildRules(10**9, 0.0)
"""The canary is not promoted: the run goes on to its end."""


def simulate_builds(
    old_failures: float, new_failures: float, runs: int, most_attempts: int, seed: int
) -> SimulatedRollouts:
    """Watches of up to `most_attempts` of the canary. The shares are those of failed attempts."""
    dice = random.Random(seed)
    found = (_one(dice, old_failures, new_failures, most_attempts) for _ in range(runs))
    return SimulatedRollouts(runs, tuple(sorted(attempts for attempts in found if attempts is not None)))


def minutes_to_roll_back(restarts: float, runs: int, most_minutes: int, seed: int) -> SimulatedRollouts:
    """Watches of an idle canary that restarts in this share of its minutes, beside four stable workers."""
    dice = random.Random(seed)
    found = (_restarting(dice, restarts, most_minutes) for _ in range(runs))
    return SimulatedRollouts(runs, tuple(sorted(minutes for minutes in found if minutes is not None)))


def _one(dice: random.Random, old_failures: float, new_failures: float, most_attempts: int) -> int | None:
    counts: Counter[str] = Counter()
    memory, done, minutes = BuildMemory(), 0, 0
    while done < most_attempts:
        more = 1 if done < EACH_ATTEMPT else min(most_attempts - done, max(1, done // 10))
        done += more
        for arm, failures, times in (("old", old_failures, OLD_PER_NEW), ("new", new_failures, 1)):
            ended(dice, counts, arm, failures, times * more)
            losses = sum(dice.random() < LOST for _ in range(times * more))
            counts.update({f"{arm}.losses": losses, f"{arm}.tries": times * more + losses})
        if done // ATTEMPTS_PER_MINUTE > minutes:
            _pass(dice, counts, done // ATTEMPTS_PER_MINUTE - minutes, RESTARTS)
            minutes = done // ATTEMPTS_PER_MINUTE
        found = decide_build(memory, counts, NEVER, 0.0)
        if found.end == "roll_back":
            return done
        memory = found.memory
    return None


def _restarting(dice: random.Random, restarts: float, most_minutes: int) -> int | None:
    counts: Counter[str] = Counter()
    memory = BuildMemory()
    for minute in range(1, most_minutes + 1):
        _pass(dice, counts, 1, restarts)
        found = decide_build(memory, counts, NEVER, 60.0 * minute)
        if found.end == "roll_back":
            return minute
        memory = found.memory
    return None


def _pass(dice: random.Random, counts: Counter[str], minutes: int, canary_restarts: float) -> None:
    for arm, share, workers in (("old", RESTARTS, OLD_PER_NEW), ("new", canary_restarts, 1)):
        trials = workers * minutes
        counts[f"{arm}.minutes"] += trials
        counts[f"{arm}.restarts"] += sum(dice.random() < share for _ in range(trials))
