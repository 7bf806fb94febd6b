"""The line of each value of a JSON text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.cli.json_lines import lines_of


def test_a_value_has_the_line_of_its_key() -> None:
    text = """{
  "url": "https://a/",
  "items": [
    {"id": 1},
    {
      "id":
        "x\\"}"
    }
  ],
  "": null }"""
    assert lines_of(text) == {
        (): 1,
        ("url",): 2,
        ("items",): 3,
        ("items", 0): 4,
        ("items", 0, "id"): 4,
        ("items", 1): 5,
        ("items", 1, "id"): 6,
        ("",): 10,
    }


@pytest.mark.parametrize("text", ["{}", "[]", "1", '"a"', "[[], {}]", '{"a": {}, "b": []}'])
def test_empty_ones(text: str) -> None:
    assert set(lines_of(text).values()) == {1}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(one, (*path, key)) for key, one in inner))


@given(VALUES, st.sampled_from([None, 2]))
def test_every_value_of_any_text_has_a_line(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    found = lines_of(text)
    assert set(found) == paths(value)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
    if indent is None:
        assert set(found.values()) == {1}
