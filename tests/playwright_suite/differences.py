"""What differs between plain Playwright and a job, and why. Pure: outcomes in, a report out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from playwright_suite.outcomes import JobOutcome, SuiteTest
from playwright_suite.reasons import REASONS, DifferenceReason


@dataclass(frozen=True)
class SuiteDifference:
    """One test that passes in plain Playwright, and does not as a job."""

    test: SuiteTest
    outcome: JobOutcome
    reason: DifferenceReason | None
    """None: it is not explained yet."""


@dataclass(frozen=True)
class SuiteReport:
    """The whole run."""

    compared: int
    """Page-level tests that pass in plain Playwright."""
    passed: int
    """Of these, as jobs."""
    differences: tuple[SuiteDifference, ...]
    after_others: tuple[SuiteTest, ...]
    """Tests that pass alone in a runner, and fail after others. There must be none."""

    @property
    def share(self) -> float:
        """Of all compared tests. From 0 to 1."""
        return self.passed / self.compared if self.compared else 1.0

    @property
    def with_files(self) -> int:
        """Tests that differ because they need files of their host."""
        return sum(each.reason is not None and each.reason.needs_files for each in self.differences)

    @property
    def share_without_files(self) -> float:
        """Of the compared tests that need no files of their host. From 0 to 1."""
        rest = self.compared - self.with_files
        return self.passed / rest if rest else 1.0

    @property
    def unexplained(self) -> tuple[SuiteDifference, ...]:
        """Differences without a reason."""
        return tuple(each for each in self.differences if each.reason is None)


def compared(tests: Iterable[SuiteTest]) -> list[SuiteTest]:
    """The tests that are run as jobs: page-level, and passing in plain Playwright."""
    return [test for test in tests if test.page_level and test.outcome == "passed"]


def report(
    tests: Sequence[SuiteTest], after_each_other: Mapping[str, JobOutcome], alone: Mapping[str, JobOutcome]
) -> SuiteReport:
    """Compare. `alone` has the outcomes of those that failed after others."""
    failed = [test for test in tests if after_each_other[test.id].outcome != "passed"]
    both = [test for test in failed if alone[test.id].outcome != "passed"]
    return SuiteReport(
        compared=len(tests),
        passed=len(tests) - len(failed),
        differences=tuple(SuiteDifference(test, alone[test.id], reason_of(test, alone[test.id])) for test in both),
        after_others=tuple(test for test in failed if alone[test.id].outcome == "passed"),
    )


def reason_of(
    test: SuiteTest, outcome: JobOutcome, reasons: Iterable[DifferenceReason] = REASONS
) -> DifferenceReason | None:
    """The first reason that names the test, or whose pattern is in its error."""
    for reason in reasons:
        if test.name in reason.tests or (reason.error and re.search(reason.error, outcome.error)):
            return reason
    return None
