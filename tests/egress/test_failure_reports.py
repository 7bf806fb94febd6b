"""Reports of failures: whole lines, and never a wait."""

import fcntl
import os
from ipaddress import ip_address

from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.request_failure import MAX_LINE_BYTES, RequestFailure, failure_pipe, parse_line

FAILURE = RequestFailure("unreachable", "connection_refused", "shop.test:80")


def test_a_report_is_one_line() -> None:
    read, write = failure_pipe()
    reports = FailureReports(write)
    reports.report(FAILURE)
    reports.report(FAILURE)
    assert os.read(read, 1000) == 2 * b"unreachable connection_refused shop.test|80\n"
    reports.close()
    assert os.read(read, 1000) == b"", "closed"
    reports.close()
    reports.report(FAILURE)
    os.close(read)


def test_an_address_is_one_line() -> None:
    read, write = failure_pipe()
    reports = FailureReports(write)
    reports.connected(Target("shop.test", 443), ip_address("2606:4700::1111"))
    assert os.read(read, 1000) == b"origin shop.test|443 2606|4700||1111\n"
    reports.close()
    os.close(read)


def test_a_full_pipe_and_a_reader_that_is_gone_cost_the_report_only() -> None:
    read, write = failure_pipe()
    reports = FailureReports(write)
    for _ in range(fcntl.fcntl(read, fcntl.F_GETPIPE_SZ) // len(FAILURE.line)):
        reports.report(FAILURE)
    lines = os.read(read, 2**20).decode().splitlines()
    assert {parse_line(line) for line in lines} == {FAILURE}
    reports.report(RequestFailure("refused", "host_not_allowed", "x" * MAX_LINE_BYTES))
    reports.report(FAILURE)
    assert os.read(read, 2**20).decode() == f"{FAILURE.line}\n"
    os.close(read)
    reports.report(FAILURE)
    reports.close()
