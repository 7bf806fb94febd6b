"""What the log has of a runner that ended."""

from typing import Any

from pw_doubles import any_typed

from pageworker_supervisor.runners.runner_end_report import report_errors, report_failure
from pageworker_supervisor.runners.start_failure import Blame, StartFailure


class Lines:
    """A log."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, Any]]] = []

    def error(self, text: str, **fields: Any) -> None:
        self.found.append((text, fields))


def test_a_runner_without_errors_has_no_line() -> None:
    lines = Lines()
    report_errors([], any_typed(lines))
    assert lines.found == []
    report_errors([OSError("a"), OSError("b")], any_typed(lines))
    assert lines.found == [("runner ended with an error", {"reason": "a; b"})]


def test_a_start_that_was_stopped_is_no_failure() -> None:
    lines, failure = Lines(), StartFailure(Blame.NONE, "why")
    report_failure(failure, any_typed(lines), any_typed(None), told_to_go=True)
    assert lines.found == []
    report_failure(failure, any_typed(lines), any_typed(None), told_to_go=False)
    assert lines.found == [("runner did not come up", {"reason": "why", "blame": "none"})]
