"""Halves of surrogate pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker.well_formed import well_formed


@pytest.mark.parametrize(
    ("text", "whole"),
    [("", ""), ("ü😀", "ü😀"), ("x\ud83d", "x\ufffd"), ("\udc00x\ud83d", "\ufffdx\ufffd"), ("\ud83d\ude00", "😀")],
)
def test_each_half_becomes_the_replacement_character(text: str, whole: str) -> None:
    assert well_formed(text) == whole


@given(st.text(st.characters()))
def test_any_text_can_be_encoded(text: str) -> None:
    assert well_formed(text).encode().decode() == well_formed(well_formed(text))
