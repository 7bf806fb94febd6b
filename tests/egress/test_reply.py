"""The answer to a request that was refused or failed: its status, and that no client takes it for a page."""

from typing import get_args

import h11
import pytest

from pageworker_sandbox.egress import reply
from pageworker_sandbox.egress.errors import (
    EgressError,
    EgressRefused,
    MalformedTarget,
    TargetUnreachable,
    UnreachableReason,
)
from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.wire.request_failure import RequestFailure


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_of_a_policy_is_a_403(reason: Reason) -> None:
    error = EgressRefused(reason)
    assert reply.failure(error, "shop.test:80") == RequestFailure("refused", reason, "shop.test:80")
    assert reply.answer(error, "shop.test:80", tunnel=True) == (
        b"HTTP/1.1 403 refused\r\nPageworker-Egress refused %b shop.test|80\r\nContent-Length: 0\r\n\r\n"
        % reason.encode()
    )


@pytest.mark.parametrize("reason", get_args(UnreachableReason))
def test_every_failure_is_a_502_or_a_504(reason: UnreachableReason) -> None:
    for timed_out, status in ((False, b"502"), (True, b"504")):
        error = TargetUnreachable(reason, timed_out=timed_out)
        assert reply.failure(error, "[::1]:80") == RequestFailure("unreachable", reason, "[::1]:80")
        assert reply.answer(error, "[::1]:80", tunnel=False).startswith(b"HTTP/1.1 %b unreachable\r\n" % status)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MalformedTarget("x"), b"400"),
        (h11.RemoteProtocolError("x", error_status_hint=431), b"431"),
        (h11.RemoteProtocolError("x", error_status_hint=501), b"501"),
    ],
)
def test_a_malformed_request_has_the_status_of_its_fault(
    error: EgressError | h11.RemoteProtocolError, status: bytes
) -> None:
    assert reply.failure(error, "") == RequestFailure("refused", "malformed_request", "")
    assert reply.answer(error, "", tunnel=False).split()[1] == status


def test_an_error_that_is_no_answer_is_raised() -> None:
    with pytest.raises(EgressError):
        reply.failure(EgressError("x"), "")


def test_the_answer_is_no_http_response() -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(reply.answer(EgressRefused("host_not_allowed"), "shop.test:80", tunnel=False))
    with pytest.raises(h11.RemoteProtocolError):
        client.next_event()
