"""What a run has used at its begin and at its end, as one line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MOST_RATIO = 1.05
"""Of memory and of CPU per job: the end against the begin."""
SLACK = {"targets": 0, "descriptors": 8, "processes": 2, "files": 16, "redis_keys": 50}
"""What a sample may have more by chance. Targets: pages of the browser. Files: those that a runner and the worker have
on disk and in their tmpfs; the browser's own databases grow by some."""


@dataclass(frozen=True)
class SoakWindow:
    """Some jobs in a row. `pss_bytes`: samples meanwhile. `cpu_seconds`: of the worker and all below it."""

    jobs: int
    cpu_seconds: float
    pss_bytes: Sequence[int]


def soak_line(
    jobs: int,
    first: SoakWindow,
    last: SoakWindow,
    before: Mapping[str, int],
    after: Mapping[str, int],
    wrong: Sequence[str],
) -> dict[str, object]:
    """The line. `before` and `after`: counts of what SLACK names, after the first window and at the end. `wrong`: what
    else must not be."""
    leaks = [
        f"{name}: {before[name]} before, {after[name]} at the end"
        for name, slack in SLACK.items()
        if after[name] > before[name] + slack
    ]
    cpu = (last.cpu_seconds / last.jobs) / (first.cpu_seconds / first.jobs)
    return {
        "suite": "soak",
        "jobs": jobs,
        "pss_ratio": round(median(last.pss_bytes) / median(first.pss_bytes), 3),
        "cpu_ratio": round(cpu, 3),
        "leaks": leaks + list(wrong),
    }


def failed(line: Mapping[str, object]) -> bool:
    """Whether a bound is broken."""
    ratios = (float(str(line[name])) for name in ("pss_ratio", "cpu_ratio"))
    return bool(line["leaks"]) or any(ratio > MOST_RATIO for ratio in ratios)
