"""The central configuration as lines that people edit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.central.listing import differences, listing, values_of_listing
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.setting_names import dotted

VALUES = {"pool.runners": 6, 'domains."*.a=b.test".burst': 3, "log.level": "debug", "tenants.a.rate_per_second": None}

PART = st.text(st.characters(codec="utf-8"), max_size=8)
NAME = st.lists(PART, min_size=1, max_size=3).map(tuple).map(dotted)
VALUE = st.none() | st.booleans() | st.integers(-9, 9) | PART | st.lists(st.integers(0, 9), max_size=3)


def test_one_line_per_setting() -> None:
    assert listing({"b.c": "x", "a": [1]}) == 'a = [1]\nb.c = "x"\n'
    assert values_of_listing(f"# head\n\n{listing(VALUES)}", "file") == VALUES


@given(st.dictionaries(NAME, VALUE, max_size=5))
def test_a_listing_is_read_as_it_was_written(values: dict[str, object]) -> None:
    assert values_of_listing(listing(values), "file") == values


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        values = values_of_listing(text, "file")
    except ConfigInvalid:
        return
    assert values_of_listing(listing(values), "file") == values


def test_every_wrong_line_is_named() -> None:
    with pytest.raises(ConfigInvalid) as invalid:
        values_of_listing("pool.runners\nlog.level = debug\npool.pages = 3\npool.pages = 4\n", "f")
    assert [problem.source for problem in invalid.value.problems] == ["f:1", "f:2", "f:4"]


def test_differences_are_removed_added_and_changed_lines() -> None:
    assert list(differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 4, "d": 5})) == [
        "- b = 2",
        "+ b = 4",
        "- c = 3",
        "+ d = 5",
    ]
    assert list(differences(VALUES, VALUES)) == []
