"""What a handler may return, and what it becomes."""

import datetime as dt
import decimal
import enum
import math
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_runner.attempts.plain_data import NotPlain, plain


@dataclass
class PricedItem:
    price: object


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("half \ud83d", "half \ufffd"),
        (b"\x00\xff", "AP8="),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05Z"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (PricedItem(9), {"price": 9}),
        (Colour.RED, "red"),
        ({1: "a", dt.date(2026, 1, 2): "b"}, {"1": "a", "2026-01-02": "b"}),
    ],
)
def test_a_value_becomes_json(value: object, becomes: Any) -> None:
    assert plain({"x": value}) == {"x": becomes}


def test_half_an_emoji_in_a_key_becomes_the_replacement_character() -> None:
    assert plain({"\ud83d": 1}) == {"\ufffd": 1}


class Page:
    pass


RING: list[Any] = []
RING.append(RING)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"offers": [{"price": 1.0}, {"price": math.nan}]}, "data.offers[1].price is nan"),
        ({"a": PricedItem(-math.inf)}, "data.a.price is -inf"),
        ({"n": 2**64}, "data.n is an integer of more than 64 bits"),
        ({"a": [1, (2, Page())]}, "data.a[1][1] is of type Page"),
        ({"a": {None: 1}}, "data.a has a key of type NoneType"),
        ({"a": RING}, "nested too deeply, or contains itself"),
    ],
)
def test_what_json_cannot_hold_is_named(value: object, message: str) -> None:
    with pytest.raises(NotPlain) as caught:
        plain(value)
    assert message in str(caught.value)


@given(st.recursive(st.none() | st.floats() | st.text(st.characters()) | st.integers(), st.lists, max_leaves=10))
def test_whatever_passes_can_be_encoded(value: object) -> None:
    try:
        converted = plain({"value": value})
    except NotPlain:
        return
    msgspec.json.encode(converted)
    msgspec.msgpack.encode(converted)
