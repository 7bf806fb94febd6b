"""Types in words."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from pageworker_supervisor.contract.type_names import describe, describe_pattern, first, in_words, is_struct, optional


class EmptyTable(Struct):
    """A table."""


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (int, "a whole number"),
        (float | None, "a number"),
        (bool, "true or false"),
        (Path, "a path"),
        (msgspec.Raw, "an object"),
        (Annotated[dt.datetime, Meta(tz=True)], "an RFC 3339 instant with an offset, e.g. 2030-01-31T12:00:00Z"),
        (Literal["a", "b"], "one of a, b"),
        (Annotated[int, Meta(ge=1, le=64)], "a whole number, 1 to 64"),
        (Annotated[int, Meta(ge=1)], "a whole number of at least 1"),
        (Annotated[float, Meta(gt=0)], "a number above 0"),
        (Annotated[float, Meta(gt=0, le=0.5)] | None, "a number above 0, at most 0.5"),
        (Annotated[str, Meta(min_length=1, max_length=63)], "text of 1 to 63 characters"),
        (Annotated[str, Meta(max_length=63)], "text of 0 to 63 characters"),
        (Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}\Z")], "1-63 of a-z0-9-"),
        (tuple[str, ...], "a list, each text"),
        (dict[str, int], "a table, each value a whole number"),
        (dict[str, EmptyTable], "a table of tables"),
        (dict[str, dict[str, int]], "a table of tables"),
        (EmptyTable, "a table"),
    ],
)
def test_a_type_is_described(type_: Any, words: str) -> None:
    assert describe(type_) == words


def test_a_pattern_has_the_description_that_was_registered() -> None:
    assert in_words("^(x|y)+$") == "text that matches ^(x|y)+$"
    assert describe_pattern("^(x|y)+$", "x or y") == "^(x|y)+$"
    assert in_words("^(x|y)+$") == "x or y"


def test_unions_with_none() -> None:
    assert first(int | None) is int
    assert first(None | str) is str
    assert first(int) is int
    assert (optional(int | None), optional(int)) == (True, False)


def test_structs_are_recognised() -> None:
    assert is_struct(EmptyTable)
    assert not is_struct(EmptyTable())
    assert not is_struct(dict[str, int])
