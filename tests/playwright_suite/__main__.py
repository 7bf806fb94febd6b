"""`python -m playwright_suite FOLDER`: Playwright's page-level tests in plain Playwright, then as jobs.

FOLDER is a checkout of playwright-python. With all files, docs/sdk.md gets the list of differences. The exit code is 1
if less than 99 % of the tests that need no files of their host pass, one passes alone but not after others, or a
difference has no reason.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from playwright_suite.differences import SuiteReport, compared, report
from playwright_suite.job_run import run
from playwright_suite.outcomes import JobOutcome, SuiteTest
from playwright_suite.plain_run import run_plain, suite_python
from playwright_suite.sdk_section import replaced, section

LEAST_SHARE = 0.99
SDK = Path(__file__).parents[2] / "docs/sdk.md"


def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="playwright_suite", description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkout of playwright-python")
    parser.add_argument("files", nargs="*", help="files of tests/async, such as test_click.py; default: all")
    arguments = parser.parse_args()
    checkout: Path = arguments.folder.resolve()
    with tempfile.TemporaryDirectory(prefix="pw-suite-") as scratch:
        python = suite_python(Path(scratch))
    found = run_plain(python, checkout, arguments.files)
    tests = compared(found)
    print(f"plain: {len(found)} tests, {sum(t.page_level for t in found)} page-level, {len(tests)} of these pass")
    in_order = _run(python, checkout, tests, alone=False)
    failed = [test for test in tests if in_order[test.id].outcome != "passed"]
    alone = _run(python, checkout, failed, alone=True)
    result = report(tests, in_order, alone)
    _print(result)
    if not arguments.files:
        suite = (checkout / "DRIVER_VERSION").read_text().strip()
        SDK.write_text(replaced(SDK.read_text(), section(result, suite, version("playwright"))))
    return int(result.share_without_files < LEAST_SHARE or bool(result.after_others) or bool(result.unexplained))


def _run(python: Path, checkout: Path, tests: Sequence[SuiteTest], *, alone: bool) -> dict[str, JobOutcome]:
    outcomes: dict[str, JobOutcome] = {}

    def on_outcome(outcome: JobOutcome) -> None:
        outcomes[outcome.id] = outcome
        if outcome.outcome != "passed":
            where = "alone" if alone else "as a job"
            print(f"{outcome.outcome} {where}: {outcome.id}: {outcome.error.partition(chr(10))[0]:.200}", flush=True)

    if tests:
        run(python, checkout, tests, on_outcome, alone=alone)
    return outcomes


def _print(result: SuiteReport) -> None:
    print(f"jobs: {result.passed} of {result.compared} pass ({100 * result.share:.2f} %)")
    print(f"without the {result.with_files} that need files: {100 * result.share_without_files:.2f} %")
    for test in result.after_others:
        print(f"passes alone, fails after others: {test.id}")
    for each in result.unexplained:
        print(f"differs without a reason: {each.test.id}: {each.outcome.error}\n{each.outcome.trace}")


if __name__ == "__main__":
    sys.exit(main())
