"""The section of docs/sdk.md with the differences. Pure: a report in, Markdown out."""

from collections import defaultdict

from playwright_suite.differences import SuiteReport
from playwright_suite.reasons import REASONS

BEGIN = "<!-- playwright-suite: begin (make playwright-suite writes this part) -->"
END = "<!-- playwright-suite: end -->"


class MarkersMissing(Exception):
    """The document has no place for the section."""


def section(report: SuiteReport, suite_version: str, playwright_version: str) -> str:
    """The text between the markers."""
    tests = defaultdict(list)
    for each in report.differences:
        if each.reason is not None:
            tests[each.reason].append(f"`{each.test.name.removeprefix('test_')}`")
    rows = [
        f"| {reason.why} | {reason.instead} | {', '.join(sorted(set(tests[reason])))} |"
        for reason in REASONS
        if tests[reason]
    ]
    count, files = report.compared, report.with_files
    share, other_share = f"{100 * report.share:.1f} %", f"{100 * report.share_without_files:.1f} %"
    return "\n".join(
        (
            f"Playwright {playwright_version}, tests of release {suite_version}:",
            f"{count} page-level tests pass in plain Playwright. Of these, {report.passed} ({share}) pass as jobs.",
            f"{files} of the others need files of their host; of the tests without those, {other_share} pass.",
            "",
            "| why it differs | what a module does | tests, without `test_` |",
            "|---|---|---|",
            *rows,
        )
    )


def replaced(document: str, text: str) -> str:
    """The document with `text` between its markers. Raises MarkersMissing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissing(f"the document has no lines {BEGIN!r} and {END!r}: put them where the section belongs")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
