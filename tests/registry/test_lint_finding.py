"""How findings are told, and in which order."""

from pageworker_supervisor.registry.lint_finding import LintFinding, in_order


def test_a_finding_names_file_line_severity_and_rule() -> None:
    assert str(LintFinding("a.py", 3, "error", "import", "no", "yes")) == "a.py:3: error: no [import]"
    assert str(LintFinding("module.toml", 0, "warning", "timeout", "no")) == "module.toml: warning: no [timeout]"


def test_findings_are_by_file_and_line_each_once() -> None:
    one, two, three = (LintFinding(file, line, "error", "r", "m") for file, line in (("a", 2), ("a", 10), ("b", 1)))
    assert in_order([three, two, one, two]) == (one, two, three)
