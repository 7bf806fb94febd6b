"""Priorities in the form that journald reads."""

import pytest
from loguru import logger

from pageworker_supervisor.telemetry import AUDIT
from pageworker_supervisor.telemetry.journal import priority_of, with_priority


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        ("TRACE", 7),
        ("DEBUG", 7),
        ("INFO", 6),
        ("SUCCESS", 6),
        ("WARNING", 4),
        ("ERROR", 3),
        ("CRITICAL", 2),
        (AUDIT, 5),
    ],
)
def test_each_level_has_a_priority(level: str, priority: int) -> None:
    assert priority_of(logger.level(level).no) == priority


def test_each_line_has_its_priority() -> None:
    assert with_priority("one\n    | two\n", 40) == "<3>one\n<3>    | two\n"
    assert with_priority('{"level":"info"}\n', 20) == '<6>{"level":"info"}\n'
