"""Texts that are not JSON to the letter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.text_repair import (
    MAX_LIST,
    MAX_REPAIRED_BYTES,
    RepairedText,
    list_of_texts,
    repaired,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def one(untrusted_text: bytes) -> Any:
    (text,) = repaired(untrusted_text)
    assert text.bad_number is None
    return json.loads(text.json)


@given(st.dictionaries(st.text(), VALUES, max_size=3))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_meaning_stays_in_every_encoding(encoding: str, value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert one(text.encode(encoding)) == value
    assert one(json.dumps(text).encode(encoding)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_not(untrusted: bytes) -> None:
    for text in repaired(untrusted):
        json.loads(text.json)
    for element in list_of_texts(untrusted):
        assert element


@pytest.mark.parametrize("around", ["\ufeff", "\u200b", "\u2060", "\u00a0", "\x00", " \u200b\n"])
def test_invisible_characters_are_left_out(around: str) -> None:
    assert one(f'{around}{{"a": 1}}{around}'.encode()) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": "x\\ud83d"}', "x\ufffd"),
        (b'{"a": "\\udc00x"}', "\ufffdx"),
        (b'{"a": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"a": "\xff"}', "\ufffd"),
    ],
)
def test_what_is_no_character_becomes_the_replacement_character(text: bytes, value: str) -> None:
    assert one(text) == {"a": value}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999", "9" * 401])
def test_a_number_without_a_meaning_is_named_and_never_replaced_in_silence(number: str) -> None:
    (text,) = repaired(f'{{"a": [0, {{"b": {number}}}]}}'.encode())
    assert text == RepairedText(b'{"a": [0, {"b": null}]}', "a[1].b")


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"x",
        b"7",
        b'"7"',
        b'"\\"7\\""',
        b"{",
        b"\xff\xfe",
        b"[" * 300 + b"]" * 300,
        b'{"a": ' * 900 + b"1" + b"}" * 900,
    ],
)
def test_everything_else_stays_unread(untrusted: bytes) -> None:
    assert repaired(untrusted) == []


def test_only_texts_of_bounded_size_and_length_are_read_again() -> None:
    assert repaired(b'{"a":"' + b"x" * MAX_REPAIRED_BYTES + b'"}') == []
    assert len(list_of_texts(b"[" + b"1," * (MAX_LIST - 1) + b"1]")) == MAX_LIST
    assert list_of_texts(b"[" + b"1," * MAX_LIST + b"1]") == []
    assert repaired("\ufeff[".encode() + b"1," * MAX_LIST + b"1]") == []


def test_a_list_is_split_into_its_elements() -> None:
    assert list_of_texts(b' [{"a": 1}, [2], 3] ') == [b'{"a": 1}', b"[2]", b"3"]
    assert list_of_texts(b'{"a": [1]}') == []
    assert list_of_texts(b"[1,") == []
