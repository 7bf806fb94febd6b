"""The line that describes a failed request, and its pipe."""

import os

import pytest

from pageworker_sandbox.wire.request_failure import RequestFailure, failure_pipe, parse_line


@pytest.mark.parametrize(
    "failure",
    [
        RequestFailure("refused", "host_not_allowed", "shop.test:80"),
        RequestFailure("unreachable", "connect_timeout", "[2001:db8::1]:443"),
        RequestFailure("refused", "malformed_request", ""),
    ],
)
def test_a_line_is_read_as_it_was_written_and_is_no_header(failure: RequestFailure) -> None:
    assert parse_line(failure.line) == failure
    assert ":" not in failure.line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "refused",
        "refused host_not_allowed",
        "allowed host_not_allowed shop.test|80",
        "refused HOST shop.test|80",
        "refused host_not_allowed shop.test|80 more",
        "refused host_not_allowed shop.test:80",
        "refused host_not_allowed shop.test|80\n",
        f"refused host_not_allowed {'x' * 301}",
    ],
)
def test_another_line_describes_nothing(line: str) -> None:
    assert parse_line(line) is None


def test_neither_end_of_the_pipe_blocks_or_is_inherited() -> None:
    ends = failure_pipe()
    for end in ends:
        assert not os.get_blocking(end)
        assert not os.get_inheritable(end)
        os.close(end)
