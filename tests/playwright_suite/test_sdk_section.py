"""The section of docs/sdk.md, and its place."""

import pytest

from playwright_suite.differences import SuiteDifference, SuiteReport
from playwright_suite.outcomes import JobOutcome
from playwright_suite.reasons import REASONS
from playwright_suite.sdk_section import BEGIN, END, MarkersMissing, replaced, section
from playwright_suite.test_differences import suite_test


def test_the_section_names_each_reason_with_its_tests() -> None:
    reason = REASONS[0]
    differences = tuple(
        SuiteDifference(suite_test(name), JobOutcome(id=name, outcome="failed"), reason)
        for name in ("test_b", "test_a", "test_a")
    )
    text = section(SuiteReport(300, 297, differences, ()), "1.62", "1.65")
    assert "300 page-level tests pass in plain Playwright. Of these, 297 (99.0 %) pass as jobs." in text
    assert "3 of the others need files of their host; of the tests without those, 100.0 % pass." in text
    assert f"| {reason.why} | {reason.instead} | `a`, `b` |" in text
    assert text.count("\n| ") == 2


def test_the_text_between_the_markers_is_replaced() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(document, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert replaced(replaced(document, "new"), "old") == document


@pytest.mark.parametrize("document", ["", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_document_without_markers_is_an_error(document: str) -> None:
    with pytest.raises(MarkersMissing, match="put them where the section belongs"):
        replaced(document, "new")
