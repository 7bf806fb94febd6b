"""An invented day of load: a daily curve, bursts, noise. Pure: the same seed gives the same day."""

from collections.abc import Iterator
from math import exp, pi, sin
from random import Random

from pageworker_supervisor.scaling.simulation import Arrivals

DAY_SECONDS = 86_400
EVERY_SECONDS = 5
NIGHT_SHARE = 0.15
"""Load at its lowest hour, as a part of that at its highest."""
BURSTS = 12
"""On one day, at random times."""
BURST_SHARE = (0.1, 0.4)
"""How much more than the curve comes at the height of a burst."""
BURST_SECONDS = (300.0, 1500.0)
RISE_SECONDS = 90.0
"""From the beginning of a burst to its height."""
SERVICE_PARTS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Jobs take one of these parts of the mean service time, each equally often."""
NOISE = 0.05
"""Standard deviation of the slow noise, which stays similar for about NOISE_SECONDS."""
NOISE_SECONDS = 300.0


def synthetic_day(peak_pages: float, service_seconds: float, seed: int = 0) -> Iterator[Arrivals]:
    """Entries in steps of EVERY_SECONDS. `peak_pages`: pages that the daily curve fills at its highest hour.

    Bursts and noise come on top.
    """
    random = Random(seed)
    bursts = sorted(_burst(random) for _ in range(BURSTS))
    noise, keep = 0.0, exp(-EVERY_SECONDS / NOISE_SECONDS)
    for second in range(0, DAY_SECONDS, EVERY_SECONDS):
        noise = noise * keep + random.gauss(0, NOISE) * (1 - keep**2) ** 0.5
        curve = NIGHT_SHARE + (1 - NIGHT_SHARE) * (1 + sin(2 * pi * (second / DAY_SECONDS - 0.375))) / 2
        more = sum(_height(second - begins, lasts, share) for begins, lasts, share in bursts)
        mean = EVERY_SECONDS * peak_pages / service_seconds * curve * max(0.0, 1 + noise + more)
        for part in SERVICE_PARTS:
            jobs = _poisson(random, mean / len(SERVICE_PARTS))
            if jobs:
                yield Arrivals(float(second), jobs, service_seconds * part)


def _burst(random: Random) -> tuple[float, float, float]:
    """When it begins, how long it lasts, how high it is."""
    return random.uniform(0, DAY_SECONDS), random.uniform(*BURST_SECONDS), random.uniform(*BURST_SHARE)


def _height(seconds: float, lasts: float, share: float) -> float:
    if seconds < 0 or seconds > lasts:
        return 0.0
    return share * min(1.0, seconds / RISE_SECONDS, (lasts - seconds) / RISE_SECONDS)


def _poisson(random: Random, mean: float) -> int:
    """A Poisson number: exact for small means, the normal approximation for larger ones."""
    if mean > 50:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, count, product = exp(-mean), 0, random.random()
    while product > limit:
        product *= random.random()
        count += 1
    return count
