"""Whose limits hold, and what a worker does where they are not its own."""

import pytest

from pageworker_supervisor.dispatch.limits_watch import Standing, standing
from pageworker_supervisor.queue.limits_table import LimitsId

OWN, OTHER = LimitsId(3, "a"), LimitsId(3, "b")
OLDER, NEWER = LimitsId(2, "a"), LimitsId(4, "a")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([OWN], "in_force"),
        ([], "in_force"),
        ([None], "lost"),
        ([OWN, None], "lost"),
        ([OLDER], "lost"),
        ([OWN, NEWER], "newer"),
        ([OTHER], "disagree"),
        ([OWN, OTHER], "disagree"),
        ([OTHER, OLDER], "lost"),
    ],
)
def test_what_is_in_force_is_compared(found: list[LimitsId | None], expected: Standing) -> None:
    assert standing(OWN, frozenset(found)) == expected
