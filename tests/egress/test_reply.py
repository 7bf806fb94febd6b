"""The answer to a request that was refused or failed: status, header, text."""

from typing import get_args

import h11
import pytest

from pageworker_sandbox.egress import reply
from pageworker_sandbox.egress.errors import (
    Disconnected,
    EgressError,
    EgressRefused,
    MalformedTarget,
    TargetUnreachable,
)
from pageworker_sandbox.egress.messages import Reason

FAILURES = (
    "name_not_resolved",
    "connect_failed",
    "connect_timeout",
    "upstream_refused",
    "upstream_failed",
    "origin_failed",
)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_of_a_policy_is_a_403_with_a_text(reason: Reason) -> None:
    assert reply.outcome(EgressRefused(reason)) == (403, "refused", reason)
    assert reply.TEXTS[reason].endswith(".")


@pytest.mark.parametrize("reason", [*FAILURES, "origin_failed", "origin_silent"])
def test_every_failure_is_a_502_or_a_504_with_a_text(reason: str) -> None:
    assert reply.outcome(TargetUnreachable(reason))[0] == 502
    assert reply.outcome(TargetUnreachable(reason, timed_out=True))[0] == 504
    assert reply.TEXTS[reason]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MalformedTarget("x"), 400),
        (h11.RemoteProtocolError("x", error_status_hint=431), 431),
        (h11.RemoteProtocolError("x", error_status_hint=501), 501),
    ],
)
def test_a_malformed_request_has_the_status_of_its_fault(
    error: EgressError | h11.RemoteProtocolError, status: int
) -> None:
    assert reply.outcome(error) == (status, "refused", "malformed_request")


def test_an_origin_that_disconnects_is_a_502() -> None:
    assert reply.outcome(Disconnected("x")) == (502, "unreachable", "origin_failed")


def test_an_error_that_is_no_answer_is_raised() -> None:
    with pytest.raises(EgressError):
        reply.outcome(EgressError("x"))


@pytest.mark.parametrize("head", [False, True])
def test_the_answer_is_complete_and_a_head_request_gets_no_body(head: bool) -> None:
    response, *rest = reply.events(EgressRefused("private_address"), head)
    assert isinstance(response, h11.Response)
    headers = dict(response.headers)
    assert headers[b"pageworker-egress"] == b"refused; reason=private_address"
    assert headers[b"cache-control"] == b"no-store"
    bodies = [event.data for event in rest if isinstance(event, h11.Data)]
    assert len(bodies) == (0 if head else 1)
    assert int(headers[b"content-length"]) == len(reply.TEXTS["private_address"]) + 1
    assert isinstance(rest[-1], h11.EndOfMessage)
