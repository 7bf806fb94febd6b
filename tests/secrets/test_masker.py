"""Secrets are replaced wherever they stand, also in parts of a text and where they overlap."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.secret_forms import LEAST_BYTES

SECRET = "correct-horse"


def masker(**values: str) -> SecretMasker:
    made = SecretMasker()
    for name, value in (values or {"login": SECRET}).items():
        made.add(name, value)
    return made


def test_without_a_secret_nothing_is_touched() -> None:
    empty = SecretMasker()
    data, value = b"x" * 100, {"a": [1]}
    assert not empty
    assert empty.data(data) is data
    assert empty.plain(value) is value


def test_a_secret_is_replaced_by_its_name() -> None:
    assert masker().text(f"login with {SECRET}, {SECRET}") == "login with (secret login), (secret login)"


def test_a_short_value_is_not_masked_and_says_so() -> None:
    made = SecretMasker()
    assert not made.add("pin", "1234")
    assert made.text("1234") == "1234"


def test_two_secrets_that_overlap_leave_nothing_of_either() -> None:
    made = masker(one="abcdefgh", two="efghijkl")
    assert made.text("-abcdefghijkl-", cut=False) == "-(secret one)-"


def test_a_secret_within_another_is_masked_with_it() -> None:
    made = masker(short="correct", long=SECRET)
    assert made.text(f"<{SECRET}>") == "<(secret long)>"
    assert made.text("<correct>") == "<(secret short)>"


def test_a_secret_that_repeats_itself_is_masked_whole() -> None:
    assert masker(login="abababab").text("xabababababx", cut=False) == "x(secret login)x"


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["abcdef", SECRET, "aaaaaaa", "ab/ab/ab+"]))
def test_no_secret_is_left_in_any_data(before: bytes, after: bytes, secret: str) -> None:
    made = masker(login=secret)
    masked = made.data(before + secret.encode() + after)
    assert secret.encode() not in masked
    assert b"(secret login)" in masked


@given(st.text("abc", max_size=40))
def test_what_is_not_near_a_secret_stays(text: str) -> None:
    assert masker(login="xyzxyzx").text(text) == text


@given(st.integers(1, len(SECRET) - 1), st.text("-=", max_size=5))
def test_a_secret_that_was_cut_in_two_leaves_too_little_to_be_found(cut: int, around: str) -> None:
    """A printed line of 8000 characters becomes two lines, and a long message is cut at its end."""
    made = masker()
    first, second = f"{around}{SECRET[:cut]}", f"{SECRET[cut:]}{around}"
    masked = made.text(first) + made.text(second)
    for start in range(len(SECRET) - LEAST_BYTES + 1):
        part = SECRET[start : start + LEAST_BYTES]
        assert part not in made.text(first) or start + LEAST_BYTES > cut
        assert part not in made.text(second)
    assert len(SECRET) < 2 * LEAST_BYTES or "(secret login)" in masked


def test_the_ends_of_whole_data_stay() -> None:
    """An artifact is not cut: what its end has in common with a secret is chance."""
    assert masker().data(b"a lesson: correct") == b"a lesson: correct"
    assert masker().data(b"a lesson: correct", cut=True) == b"a lesson: (secret login)"
    assert masker().data(b"ct-horse race", cut=True) == b"(secret login) race"


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (SECRET, "(secret login)"),
        ([SECRET, 1, None, True], ["(secret login)", 1, None, True]),
        ({SECRET: {"a": (f"x{SECRET}",)}}, {"(secret login)": {"a": ["x(secret login)"]}}),
        (b"x" + SECRET.encode(), b"x(secret login)"),
        (1.5, 1.5),
    ],
)
def test_data_is_masked_inside(value: Any, masked: Any) -> None:
    assert masker().plain(value) == masked


def test_a_number_that_is_a_secret_is_masked() -> None:
    made = masker(pin="4929111122223333")
    assert made.plain({"card": 4929111122223333, "other": 5}) == {"card": "(secret pin)", "other": 5}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_other_data_stays_as_it_is(value: Any) -> None:
    assert json.dumps(masker(login="no such text").plain(value)) == json.dumps(value)


def test_text_that_is_no_utf_8_stays_text() -> None:
    assert masker().text(f"\ud800{SECRET}").endswith("(secret login)")


def test_only_the_newest_values_are_kept_where_there_is_a_bound() -> None:
    made = SecretMasker(2)
    for number in range(3):
        made.add(f"n{number}", f"secret-{number}")
    assert made.text("secret-0 secret-1 secret-2", cut=False) == "secret-0 (secret n1) (secret n2)"
    made.add("n1", "secret-1")
    made.add("n3", "secret-3")
    assert made.text("secret-1", cut=False) == "(secret n1)", "it was granted again"
