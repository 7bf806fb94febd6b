"""One contender's run, watched from outside: results with their times, CPU and memory of its tree."""

import time
from dataclasses import dataclass, field

from bench.process_tree import Tree
from bench.site import fields_of

WARM_UP = 8
"""Results that are left out of rate and CPU: connections, caches and compilers are cold then."""


class WrongResult(Exception):
    """A contender that is fast and wrong is not measured."""


@dataclass(frozen=True)
class BenchSample:
    """One round of one contender."""

    jobs_per_second: float
    cpu_ms_per_job: float
    peak_pss_mb: float
    first_result_seconds: float


@dataclass
class BenchRun:
    """Collects `jobs` results of one contender. Begins when it is made: the contender is started right after."""

    jobs: int
    tree: Tree
    began: float = field(default_factory=time.monotonic)
    _ends: list[float] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _cpu: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """All results are there."""
        return len(self._ends) == self.jobs

    def result(self, number: int, fields: object) -> None:
        """One more result. Raises WrongResult for one that is not what the page says, or that came before."""
        if fields != fields_of(number) or number in self._seen:
            raise WrongResult(f"page {number}: {fields!r}")
        self._seen.add(number)
        self._ends.append(time.monotonic())
        if len(self._ends) in (WARM_UP, self.jobs):
            self._cpu.append(self.tree.total_cpu_seconds())

    def sample(self) -> BenchSample:
        """The figures, once done."""
        counted = self.jobs - WARM_UP
        return BenchSample(
            jobs_per_second=counted / (self._ends[-1] - self._ends[WARM_UP - 1]),
            cpu_ms_per_job=(self._cpu[-1] - self._cpu[0]) * 1000 / counted,
            peak_pss_mb=self.tree.peak_pss_bytes / 1e6,
            first_result_seconds=self._ends[0] - self.began,
        )
