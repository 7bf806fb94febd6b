"""Simulated rollouts with the product's own decision: how often a version is rolled back, and after how many jobs.

The old version has four times the jobs of the new one. The decision looks after each job of the new version at first,
later less often, as a busy worker does. Seconds and bytes of both versions have one distribution, so that each run
shows the errors of all measures together.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.rollouts.decision import DecisionMemory, decide
from pageworker_supervisor.rollouts.rollout_state import RolloutEvent
from rollouts.pairs import running

OLD_PER_NEW = 4
EACH_JOB = 45
"""Up to so many jobs of the new version, the decision looks after each."""
BUCKETS = 12
BLOCKED = 0.02
SETTINGS = RolloutSettings()
ROLLOUT = running()


@dataclass(frozen=True)
class SimulatedRollouts:
    """How `runs` rollouts ended. `jobs`: of the new version, of each that was rolled back, in their order."""

    runs: int
    jobs: tuple[int, ...]

    def before(self, jobs: int) -> float:
        """The share that was rolled back before so many jobs of the new version."""
        return sum(each < jobs for each in self.jobs) / self.runs

    @property
    def rolled_back(self) -> float:
        """The share that was rolled back."""
        return len(self.jobs) / self.runs


def simulate(old_failures: float, new_failures: float, runs: int, most_jobs: int, seed: int) -> SimulatedRollouts:
    """Rollouts of up to `most_jobs` of the new version. The shares are those of failed jobs."""
    dice = random.Random(seed)
    found = (_one(dice, old_failures, new_failures, most_jobs) for _ in range(runs))
    return SimulatedRollouts(runs, tuple(sorted(jobs for jobs in found if jobs is not None)))


def _one(dice: random.Random, old_failures: float, new_failures: float, most_jobs: int) -> int | None:
    counts: Counter[str] = Counter()
    memory, done = DecisionMemory(), 0
    for jobs in _looks(most_jobs):
        ended(dice, counts, "old", old_failures, OLD_PER_NEW * (jobs - done))
        ended(dice, counts, "new", new_failures, jobs - done)
        done = jobs
        found = decide(memory, counts, ROLLOUT, SETTINGS, 0)
        if found.event is RolloutEvent.ROLL_BACK:
            return jobs
        memory = found.memory
    return None


def _looks(most_jobs: int) -> Iterator[int]:
    jobs = 0
    while jobs < most_jobs:
        jobs = min(most_jobs, jobs + (1 if jobs < EACH_JOB else max(1, jobs // 10)))
        yield jobs


def ended(dice: random.Random, counts: Counter[str], arm: str, failures: float, jobs: int) -> None:
    """So many jobs of a version have ended."""
    failed = _hits(dice, failures, jobs)
    blocked = _hits(dice, BLOCKED, jobs - failed)
    counts.update({f"{arm}.jobs": jobs, f"{arm}.failed": failed, f"{arm}.blocked": blocked})
    for measure in ("seconds", "bytes"):
        buckets = Counter(int(dice.random() * BUCKETS) for _ in range(jobs - failed - blocked))
        for bucket, number in buckets.items():
            counts[f"{arm}.{measure}.{bucket}"] += number


def _hits(dice: random.Random, share: float, jobs: int) -> int:
    """Binomial, by the distances between hits, which are geometric."""
    if share <= 0:
        return 0
    scale, at, hits = math.log1p(-share), 0, -1
    while at <= jobs:
        at += 1 + int(math.log(1.0 - dice.random()) / scale)
        hits += 1
    return hits
