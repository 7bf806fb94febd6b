"""Errors of a channel: what a supervisor can tell from their types and fields."""

import pytest

from pageworker_sandbox.wire.errors import ChannelClosed, OutputExceeded, ProtocolViolation, WireError


def test_too_much_output_is_a_violation_and_carries_its_numbers() -> None:
    error = OutputExceeded(4001, 4000, "lines")
    assert isinstance(error, ProtocolViolation)
    assert (error.used, error.allowed, error.unit) == (4001, 4000, "lines")
    assert str(error) == "4001 lines of output, at most 4000 are permitted"


def test_a_closed_channel_is_no_violation() -> None:
    with pytest.raises(WireError) as caught:
        raise ChannelClosed("end of file")
    assert not isinstance(caught.value, ProtocolViolation)
