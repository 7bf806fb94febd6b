"""Queries of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names, choice_of, count_of, seconds_of, text_of


def test_known_fields_once_each() -> None:
    assert check_names([("wait", "1"), ("tenant_id", "")], ("wait", "tenant_id")) == {"wait": "1", "tenant_id": ""}


@pytest.mark.parametrize(
    ("pairs", "field"), [([("w", "1")], "w"), ([("", "1")], '""'), ([("wait", "1"), ("wait", "1")], "wait")]
)
def test_other_fields_are_named(pairs: list[tuple[str, str]], field: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        check_names(pairs, ("wait",))
    assert refused.value.document.field == field


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("1.5", 1.5), ("60", 60.0), ("000060", 60.0)])
def test_seconds(text: str, seconds: float) -> None:
    assert seconds_of({"wait": text}, "wait", 60) == seconds
    assert seconds_of({}, "wait", 60) == 0


def test_counts_and_texts_have_bounds() -> None:
    assert count_of({}, "count", 100) == 100
    assert count_of({}, "count", 100, default=1) == 1
    assert count_of({"count": "7"}, "count", 100) == 7
    assert text_of({}, "after", 3) == ""
    assert text_of({"after": "abc"}, "after", 3) == "abc"
    for wrong in ("0", "101", "-1", "1.0", "x", ""):
        with pytest.raises(ApiProblem):
            count_of({"count": wrong}, "count", 100)
    with pytest.raises(ApiProblem):
        text_of({"after": "abcd"}, "after", 3)


def test_a_choice_is_one_of_those_and_the_first_without_the_field() -> None:
    assert choice_of({}, "format", ("json", "csv")) == "json"
    assert choice_of({"format": "csv"}, "format", ("json", "csv")) == "csv"
    for wrong in ("CSV", "", "json,csv"):
        with pytest.raises(ApiProblem) as refused:
            choice_of({"format": wrong}, "format", ("json", "csv"))
        assert refused.value.document.field == "format"


@given(st.text(max_size=12))
def test_any_text_is_a_number_in_range_or_a_problem(text: str) -> None:
    try:
        assert 0 <= seconds_of({"wait": text}, "wait", 60) <= 60
    except ApiProblem as refused:
        assert refused.document.field == "wait"  # noqa: PT017 - both ends are right
