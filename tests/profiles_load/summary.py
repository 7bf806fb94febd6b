"""What a run has shown, as one line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.rows import percentile

MOST_COLD_RATIO = 1.3
MOST_MEMORY_RATIO = 1.1
"""Flat: the last third of the samples against the one before. Which runners are up differs from moment to moment."""


@dataclass(frozen=True)
class LoadFacts:
    """What was seen. Times in seconds, memory in bytes."""

    minutes: float
    profiles: int
    jobs: int
    wrong: int
    """Jobs that did not succeed."""
    cold: Sequence[float]
    """From the claim to the handler, of jobs whose runner had to start."""
    by_hand: Sequence[float]
    """Starts of `launch_persistent_context` by hand, at the same time on the same host."""
    memory: Sequence[int]
    memory_limit: int
    killed: int
    """Processes that the kernel has killed for lack of memory."""
    idle: Sequence[str]
    """Profiles that had a runner though they were idle for too long."""
    left: Sequence[str]
    """Processes of runners that were left at the end."""


def summary(facts: LoadFacts) -> dict[str, object]:
    """The line."""
    third = len(facts.memory) // 3
    before, last = facts.memory[third : 2 * third], facts.memory[2 * third :]
    cold, by_hand = percentile(facts.cold, 0.95), percentile(facts.by_hand, 0.95)
    return {
        "suite": "profiles_load",
        "minutes": facts.minutes,
        "profiles": facts.profiles,
        "jobs": facts.jobs,
        "wrong": facts.wrong,
        "cold_jobs": len(facts.cold),
        "cold_p95_ms": round(1000 * cold),
        "by_hand_p95_ms": round(1000 * by_hand),
        "cold_ratio": round(cold / by_hand, 2),
        "memory_peak_mib": max(facts.memory) >> 20,
        "memory_limit_mib": facts.memory_limit >> 20,
        "memory_ratio": round(median(last) / median(before), 3),
        "killed_for_memory": facts.killed,
        "idle_runners": len(facts.idle),
        "left": list(facts.left),
    }


def broken(line: dict[str, object]) -> list[str]:
    """The names in the line that break their bound."""
    most = {"cold_ratio": MOST_COLD_RATIO, "memory_ratio": MOST_MEMORY_RATIO}
    zero = ("wrong", "killed_for_memory", "idle_runners")
    found = [name for name, bound in most.items() if float(str(line[name])) > bound]
    return found + [name for name in zero if line[name]] + (["left"] if line["left"] else [])
