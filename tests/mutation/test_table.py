"""The table must not rot: each row can still be applied, and what it names is there."""

import ast
import re
from pathlib import Path

import pytest

from mutation import failures
from mutation.mutant import Mutant
from mutation.table import MUTANTS
from mutation.trial import ROOT, mutated

FAILURES = [value for name, value in vars(failures).items() if name.isupper()]
DOCUMENT = ROOT / "docs" / "failures.md"


def functions(file: Path) -> set[str]:
    """Tests of a file, by name."""
    tree = ast.parse(file.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


@pytest.mark.parametrize("row", MUTANTS, ids=lambda row: f"{row.file.rpartition('/')[2]}-{row.old.strip()[:40]}")
def test_a_row_can_be_applied_and_its_tests_exist(row: Mutant) -> None:
    text = (ROOT / row.file).read_text()
    assert mutated(text, row) != text
    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in functions(ROOT / file)


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_a_row_and_is_documented_with_its_tests(failure: str) -> None:
    rows = [row for row in MUTANTS if row.failure == failure]
    assert rows
    (line,) = [line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| {failure} |")]
    named = {test.partition("[")[0] for row in rows for test in row.tests}
    told = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", line)
    assert told
    assert len(told) == len(re.findall(r"\btest_\w+`", line))  # each name is a link to its file
    assert {f"{file}::{name}" for name, file in told} <= named


def test_no_row_is_for_a_failure_without_a_name() -> None:
    assert {row.failure for row in MUTANTS} <= set(FAILURES)
