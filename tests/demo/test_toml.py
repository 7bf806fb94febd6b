"""Whatever is written as TOML is read back as it was."""

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_demo.toml import toml_text

# TOML has 64-bit integers, and its strings have no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9)
TREES = st.recursive(
    st.dictionaries(
        TEXT, SCALARS | st.lists(SCALARS | st.dictionaries(TEXT, SCALARS, max_size=2), max_size=3), max_size=4
    ),
    lambda tables: st.dictionaries(TEXT, SCALARS | tables, max_size=4),
    max_leaves=10,
)


@given(TREES)
def test_what_is_written_is_read_back(tree: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(tree)) == tree


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"b": 1, "c": True, "d": 1.5, "e": ["x", "y"]}},
        {"tenants": {"*": {"egress": ["*.example"]}, "a.b-c": {"weight": 2.0}}},
        {"s": {"quote": 'say "hi"\n\\ — ü', "empty": ""}},
        {"tenants": {"*": {}, "acme": {}}},
        {"anyOf": [{"required": ["a"]}, {"properties": {"b": {"enum": [1, True, "x"]}}}], "dates": [date(2026, 1, 2)]},
        {"numbers": [float("inf"), -1e300, 10**15]},
        {"top": 1, "deep": {"deeper": {"deepest": {"x": 0}}}},
    ],
)
def test_names_and_strings_are_quoted(tree: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(tree)) == tree
