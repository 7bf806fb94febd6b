"""Decides whether canary workers are promoted or removed, from counts of ended jobs. Pure.

The tests are those of rollouts of modules (docs/rollouts.md): an exact test at the canary's 39th job, and bets that may
be looked at at any time. A canary that is not worse is removed by mistake with a probability of at most MOST_ERROR.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from prometheus_client.parser import text_string_to_metric_families

from pageworker_supervisor.rollouts.bets import Bets, Hits, bet
from pageworker_supervisor.rollouts.first_look import first_look_due, rejects

FIRST_LOOK_ERROR = 0.009
BETS_ERROR = 0.001
MOST_ERROR = FIRST_LOOK_ERROR + BETS_ERROR
NO_BETS = Bets()
BAD = frozenset({"failed", "timed_out", "blocked", "rejected", "dead"})
NEITHER = frozenset({"cancelled", "expired"})
"""A job that ends so says nothing about the worker."""


class CanaryDecision(Enum):
    """What to do next."""

    WAIT = "wait"
    PROMOTE = "promote"
    REMOVE = "remove"


@dataclass(frozen=True)
class JobCounts:
    """Jobs that ended on some workers, and how many of them badly."""

    jobs: int = 0
    bad: int = 0


@dataclass(frozen=True)
class PodState:
    """What Kubernetes says of one pod."""

    name: str
    ready: bool
    restarts: int


@dataclass(frozen=True)
class CanaryMemory:
    """What was seen so far: the last counts of each pod, and their increases since the canary began."""

    last: Mapping[str, JobCounts] = field(default_factory=dict)
    stable: JobCounts = JobCounts()
    canary: JobCounts = JobCounts()
    bets: Bets = NO_BETS
    first_look: bool | None = None
    """None: not due yet. True: passed."""


def count_jobs(metrics: str) -> JobCounts:
    """Ended jobs in the text of a worker's `/metrics`. Raises ValueError if it is not such a text."""
    jobs = bad = 0.0
    for family in text_string_to_metric_families(metrics):
        if family.name == "pageworker_jobs":
            for sample in family.samples:
                status = sample.labels.get("status", "")
                if sample.name.endswith("_total") and status not in NEITHER:
                    jobs += sample.value
                    bad += sample.value if status in BAD else 0
    return JobCounts(int(jobs), int(bad))


def look(memory: CanaryMemory, stable: Mapping[str, JobCounts], canary: Mapping[str, JobCounts]) -> CanaryMemory:
    """Remember one look at the counts, by pod. What the stable pods had before the first look does not count."""
    known = memory.last if memory.last else dict(stable)
    after = replace(
        memory,
        last={**known, **stable, **canary},
        stable=_more(memory.stable, known, stable),
        canary=_more(memory.canary, known, canary),
    )
    hits = Hits(after.stable.jobs, after.stable.bad, after.canary.jobs, after.canary.bad)
    first_look = memory.first_look
    if first_look is None and first_look_due(hits):
        first_look = not rejects(hits, FIRST_LOOK_ERROR)
    return replace(after, bets=bet(memory.bets, hits), first_look=first_look)


def decide_canary(
    memory: CanaryMemory, pods: Iterable[PodState], least_jobs: int, *, deadline_passed: bool
) -> tuple[CanaryDecision, str]:
    """What to do with the canary whose pods are `pods`, and why."""
    seen = f"canary {_share(memory.canary)}, others {_share(memory.stable)}"
    restarted = [pod.name for pod in pods if pod.restarts]
    if restarted:
        return CanaryDecision.REMOVE, f"restarted: {', '.join(restarted)}"
    if memory.first_look is False or BETS_ERROR * memory.bets.e_value >= 1:
        return CanaryDecision.REMOVE, f"more jobs end badly: {seen}"
    waiting = [pod.name for pod in pods if not pod.ready]
    enough = memory.canary.jobs >= least_jobs
    if enough and not waiting:
        return CanaryDecision.PROMOTE, seen
    if deadline_passed:
        why = f"not ready: {', '.join(waiting)}" if waiting else f"too few jobs to decide, {least_jobs} are needed"
        return CanaryDecision.REMOVE, f"the time is over: {why} ({seen})"
    return CanaryDecision.WAIT, seen


def _more(so_far: JobCounts, last: Mapping[str, JobCounts], now: Mapping[str, JobCounts]) -> JobCounts:
    """Add what each pod has counted since the last look. A smaller number: the pod has started again."""
    jobs, bad = so_far.jobs, so_far.bad
    for name, counts in now.items():
        before = last.get(name, JobCounts())
        before = before if counts.jobs >= before.jobs and counts.bad >= before.bad else JobCounts()
        jobs, bad = jobs + counts.jobs - before.jobs, bad + counts.bad - before.bad
    return JobCounts(jobs, bad)


def _share(counts: JobCounts) -> str:
    return f"{counts.bad} of {counts.jobs} jobs ended badly"
