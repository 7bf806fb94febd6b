"""A request about a side effect is bounded in every field."""

from typing import Any

import msgspec
import pytest

from pageworker_sandbox.wire.once_messages import MAX_ONCE_REQUESTS, MAX_ONCE_VALUE_BYTES, OnceRequest

REQUEST: dict[str, Any] = {"attempt_id": "a", "number": 1, "key": "order:17", "act": "begin"}


def test_a_request_names_a_key_and_what_happens() -> None:
    assert msgspec.convert(REQUEST, OnceRequest) == OnceRequest(attempt_id="a", number=1, key="order:17", act="begin")


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "x" * 101},
        {"key": "a b"},
        {"key": "order\n"},
        {"act": "delete"},
        {"number": 0},
        {"number": MAX_ONCE_REQUESTS + 1},
        {"value": b"x" * (MAX_ONCE_VALUE_BYTES + 1)},
        {"other": 1},
    ],
)
def test_another_one_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**REQUEST, **change}, OnceRequest)
