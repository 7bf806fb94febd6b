"""The comparison: which tests count, and what a run's report says."""

from playwright_suite.differences import compared, reason_of, report
from playwright_suite.outcomes import JobOutcome, SuiteTest
from playwright_suite.reasons import DifferenceReason

FILES = DifferenceReason("no files", "bytes", error="PermissionError")
NAMED = DifferenceReason("a proxy", "nothing", tests=frozenset({"test_b"}))


def suite_test(name: str, *arguments: str, outcome: str = "passed") -> SuiteTest:
    return SuiteTest(
        id=f"tests/async/test_x.py::{name}[chromium]",
        file="tests/async/test_x.py",
        group="",
        function=name,
        indices={},
        arguments=arguments or ("page",),
        outcome=outcome,
        reason="",
    )


def job(test: SuiteTest, outcome: str = "passed", error: str = "") -> JobOutcome:
    return JobOutcome(id=test.id, outcome=outcome, error=error)


def test_page_level_tests_that_pass_in_plain_playwright_are_compared() -> None:
    tests = [
        suite_test("page", "page", "server"),
        suite_test("context", "context"),
        suite_test("own_browser", "page", "browser_type"),
        suite_test("own_context", "browser", "server"),
        suite_test("neither", "server"),
        suite_test("fails", "page", outcome="failed"),
        suite_test("skipped", "page", outcome="skipped"),
    ]
    assert [test.name for test in compared(tests)] == ["page", "context"]


def test_a_report_tells_differences_from_what_fails_after_others_only() -> None:
    passes, differs, spoiled = tests = [suite_test(name) for name in ("test_a", "test_b", "test_c")]
    in_order = {passes.id: job(passes), differs.id: job(differs, "failed"), spoiled.id: job(spoiled, "lost")}
    alone = {differs.id: job(differs, "failed", "no file"), spoiled.id: job(spoiled)}
    found = report(tests, in_order, alone)
    assert (found.compared, found.passed, round(found.share, 3)) == (3, 1, 0.333)
    assert [(each.test, each.outcome.error) for each in found.differences] == [(differs, "no file")]
    assert found.after_others == (spoiled,)
    assert found.unexplained == found.differences


def test_tests_that_need_files_are_counted_apart() -> None:
    passes, differs, needs = tests = [suite_test(name) for name in ("test_a", "test_b", "test_c")]
    error = "FileNotFoundError: [Errno 2] No such file or directory: 'x'"
    failed = {differs.id: job(differs, "failed", "?"), needs.id: job(needs, "failed", error)}
    found = report(tests, {passes.id: job(passes), **failed}, failed)
    assert (found.with_files, round(found.share, 3), found.share_without_files) == (1, 0.333, 0.5)
    assert [each.test for each in found.unexplained] == [differs]
    assert report([], {}, {}).share_without_files == 1.0


def test_a_reason_is_found_by_the_error_or_by_the_name() -> None:
    one, two, three = (suite_test(name) for name in ("test_a", "test_b", "test_c"))
    reasons = (FILES, NAMED)
    assert reason_of(one, job(one, "failed", "PermissionError: /tmp/x"), reasons) is FILES
    assert reason_of(two, job(two, "failed", "AssertionError"), reasons) is NAMED
    assert reason_of(three, job(three, "failed", "AssertionError"), reasons) is None
