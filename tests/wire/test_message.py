"""Messages cannot be changed, and forbid what they do not know."""

import msgspec
import pytest

from pageworker_sandbox.wire.message import Message, MessageSpec


class NumberTold(Message, frozen=True):
    number: int


def test_a_message_is_frozen_and_forbids_unknown_fields() -> None:
    with pytest.raises(AttributeError):
        NumberTold(number=1).number = 2  # type: ignore[misc]  # frozen: the point
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"number": 1, "other": 2}, NumberTold)


def test_a_row_has_no_descriptors_unless_it_names_them() -> None:
    assert MessageSpec(NumberTold, 64).descriptors == 0
