"""Errors of the gateway: reasons and what may be tried again."""

from pageworker_sandbox.egress.errors import (
    Disconnected,
    EgressError,
    EgressRefused,
    InvalidListener,
    TargetUnreachable,
)


def test_a_refusal_carries_its_reason() -> None:
    assert EgressRefused("private_address").reason == "private_address"
    assert str(EgressRefused("private_address")) == "private_address"


def test_an_unreachable_target_tells_whether_time_ran_out() -> None:
    assert not TargetUnreachable("connect_failed").timed_out
    assert TargetUnreachable("connect_timeout", timed_out=True).timed_out


def test_all_have_one_base_so_that_a_session_answers_each() -> None:
    for error in (Disconnected, EgressRefused, InvalidListener, TargetUnreachable):
        assert issubclass(error, EgressError)
