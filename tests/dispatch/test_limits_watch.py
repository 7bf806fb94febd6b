"""Whose limits hold, and what a worker does where they are not its own."""

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.dispatch.limits_watch import LimitsWatch, Standing, standing
from pageworker_supervisor.queue.limits_table import LimitsId, limits_table
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry import log

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


async def no_probe() -> None:
    """Redis is there."""


async def test_another_table_in_force_is_told_once_with_both_ids() -> None:
    lines: list[str] = []
    handler = log.add(lambda message: lines.append(f"{message.record['message']} {message.record['extra']}"))
    watch = LimitsWatch("w1", any_typed(None), Availability(no_probe), Settings())
    own = limits_table(Settings()).id
    try:
        for found in (LimitsId(0, "theirs"), LimitsId(0, "theirs"), LimitsId(9, "theirs"), own, LimitsId(0, "theirs")):
            await watch.look(frozenset({found}))
    finally:
        log.remove(handler)
    assert [line.partition(" {")[0] for line in lines] == [
        "workers disagree on the limits",
        "limits of a newer configuration hold",
        "workers disagree on the limits",
    ]
    assert all(str(own) in line and "theirs" in line for line in lines)
