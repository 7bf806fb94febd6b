"""Which profile has a job when: Poisson arrivals, and Zipf's law over the profiles. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ProfileArrival:
    """A job. `at_seconds`: after the begin."""

    at_seconds: float
    profile: str


def arrivals(
    profiles: int, per_second: float, seconds: float, seed: int, exponent: float = 1.0
) -> Iterator[ProfileArrival]:
    """In order of time. The k-th profile has 1/k**exponent of the first one's jobs."""
    dice = random.Random(seed)
    names = [f"p{number}" for number in range(1, profiles + 1)]
    weights = [1 / number**exponent for number in range(1, profiles + 1)]
    at = dice.expovariate(per_second)
    while at < seconds:
        yield ProfileArrival(at, dice.choices(names, weights)[0])
        at += dice.expovariate(per_second)
