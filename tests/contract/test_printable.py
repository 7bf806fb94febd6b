"""Control characters in foreign text are shown, and have no effect."""

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.contract.printable import printable, printable_json, printable_lines

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u061c\u200e\u200f"
NASTY = "\x00\x07\x08\t\n\x0b\x0c\r\x1b\x7f\x80\x85\x9b\x9f\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff" + MARKS
TEXT = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]) | st.sampled_from(NASTY))


def unsafe(character: str) -> bool:
    """Decided by Unicode's categories, not by our list."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in BIDI
        or character in MARKS
    )


@given(TEXT)
@example(NASTY)
def test_one_line_and_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not [character for character in shown if unsafe(character)]
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(TEXT)
def test_what_is_printable_stays_and_twice_is_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert printable("".join(c for c in text if c.isprintable() or c == "\u200d")) == "".join(
        c for c in text if c.isprintable() or c == "\u200d"
    )


@given(TEXT)
def test_nothing_is_lost(text: str) -> None:
    """The original character can be read from the escaped text."""
    for number, character in enumerate(text):
        if unsafe(character):
            shown = printable(text[number])
            plain = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}.get(shown) or chr(int(shown[2:], 16))
            assert plain == character


@given(TEXT)
def test_lines_of_ours_stay_lines(text: str) -> None:
    shown = printable_lines(text)
    assert shown.count("\n") == text.count("\n")
    assert not [character for character in shown if unsafe(character) and character != "\n"]


@given(st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)))
def test_json_keeps_its_value(value: object) -> None:
    for text in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=2)):
        shown = printable_json(text)
        assert json.loads(shown) == json.loads(text)
        assert not [character for character in shown if unsafe(character) and character != "\n"]


@pytest.mark.parametrize("text", ["plain", "日本語", "müde", "👩\u200d🔬", "ک\u200cم", "שלום", "C:\\new", "a  b"])
def test_what_people_write_is_left_alone(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("key", ["x\\u001b[2J", "x\\n12:00:00.000 INFO    job ended", "x\\u202e", "x\\u009b31m"])
def test_an_error_that_quotes_a_job_is_one_line(key: str) -> None:
    text = f'{{"job_id": "1", "tenant_id": "a", "endpoint_module": "m", "{key}": 1}}'.encode()
    with pytest.raises(ContractError) as caught:
        parse_job(text)
    assert printable(caught.value) == str(caught.value)
    value = f'{{"job_id": "{key}", "tenant_id": "a", "endpoint_module": "m"}}'.encode()
    with pytest.raises(ContractError) as caught:
        parse_job(value)
    assert printable(caught.value) == str(caught.value)
