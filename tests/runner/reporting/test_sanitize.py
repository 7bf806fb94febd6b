"""Foreign text always fits the wire."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pageworker_runner.reporting.sanitize import fit, fit_fields

# Lone surrogates included: a page or a module can make them.
ANY_TEXT = st.text(st.characters(), max_size=60)


@given(ANY_TEXT, st.integers(0, 40))
def test_text_is_bounded_and_can_be_encoded(text: str, chars: int) -> None:
    fitted = fit(text, chars)
    fitted.encode()
    assert len(fitted) <= chars
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert fitted == text[:chars]


@given(
    st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.none(), max_size=8), st.integers(0, 8), st.integers(0, 300)
)
def test_fields_are_bounded_in_number_and_size(fields: dict[str, Any], count: int, total: int) -> None:
    kept = fit_fields(fields, count=count, value_chars=20, total_chars=total)
    assert len(kept) <= count
    assert all(len(key) <= 64 and len(value) <= 20 for key, value in kept.items())
    assert sum(len(key) + len(value) for key, value in kept.items()) <= total
    for key, value in kept.items():
        (key + value).encode()


def test_fields_are_kept_in_order_until_the_first_that_does_not_fit() -> None:
    fields = {"a": "1", "b": "x" * 50, "c": "2"}
    assert fit_fields(fields, count=3, value_chars=100, total_chars=20) == {"a": "1"}
    assert fit_fields(fields, count=1, value_chars=100, total_chars=200) == {"a": "1"}


def test_a_half_of_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert fit("a\ud83d", 10) == "a\ufffd"
