"""The module's log: each method writes one line of its level to the sink."""

from typing import Any, get_args

from pageworker import Log
from pageworker.sink import Level


def test_every_level_has_a_method_of_its_own(sink: Any) -> None:
    log = Log(sink)
    for level in get_args(Level):
        getattr(log, level)("found offers", count=3)
    assert sink.lines == [(level, "found offers", {"count": 3}) for level in get_args(Level)]


def test_fields_may_have_any_name_that_is_not_the_messages(sink: Any) -> None:
    Log(sink).info("x", level="y", fields=1)
    assert sink.lines == [("info", "x", {"level": "y", "fields": 1})]
