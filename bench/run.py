"""One contender's run, measured from outside: times of results, CPU and memory of its process tree."""

import time
from dataclasses import dataclass, field

from bench.page_parts import fields_of
from bench.process_tree import ProcessTree

WARM_UP = 8
"""The number of first results that are left out of rate and CPU: connections, caches and compilers are still cold."""


class WrongResult(Exception):
    """A contender gave a wrong result. Its speed is not measured."""


@dataclass(frozen=True)
class BenchSample:
    """One round of one contender."""

    jobs_per_second: float
    cpu_ms_per_job: float
    peak_pss_mb: float
    first_result_seconds: float


@dataclass
class BenchRun:
    """Collects `jobs` results of one contender. The time runs from its creation: start the contender right after."""

    jobs: int
    tree: ProcessTree
    began: float = field(default_factory=time.monotonic)
    _ends: list[float] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _cpu: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all results have come."""
        return len(self._ends) == self.jobs

    def result(self, number: int, fields: object) -> None:
        """Add a result. Raises WrongResult if it differs from the page, or came before."""
        if fields != fields_of(number) or number in self._seen:
            raise WrongResult(f"page {number}: {fields!r}")
        self._seen.add(number)
        self._ends.append(time.monotonic())
        if len(self._ends) in (WARM_UP, self.jobs):
            self._cpu.append(self.tree.total_cpu_seconds())

    def sample(self) -> BenchSample:
        """The figures. Call it once `done`."""
        counted = self.jobs - WARM_UP
        return BenchSample(
            jobs_per_second=counted / (self._ends[-1] - self._ends[WARM_UP - 1]),
            cpu_ms_per_job=(self._cpu[-1] - self._cpu[0]) * 1000 / counted,
            peak_pss_mb=self.tree.peak_pss_bytes / 1e6,
            first_result_seconds=self._ends[0] - self.began,
        )
