"""Inputs in parts and pieces."""

from fuzz.target import SEPARATOR, parts_of, pieces_of


def test_an_input_has_at_most_that_many_parts() -> None:
    data = SEPARATOR.join((b"a", b"b", b"c"))
    assert parts_of(data, 9) == [b"a", b"b", b"c"]
    assert parts_of(data, 2) == [b"a", b"b" + SEPARATOR + b"c"]
    assert parts_of(b"", 3) == [b""]


def test_pieces_are_of_one_size_and_lose_nothing() -> None:
    assert pieces_of(b"abcde", 2) == [b"ab", b"cd", b"e"]
    assert pieces_of(b"abc", 0) == [b"abc"]
    assert pieces_of(b"", 2) == []
