"""Reports of the gateway, as the runner keeps them."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from pageworker_runner.pages.gateway_reports import KEPT_HOSTS, GatewayReports, authority_of
from pageworker_sandbox.wire.origin_address import OriginAddress
from pageworker_sandbox.wire.request_failure import RequestFailure, failure_pipe

DOWN = RequestFailure("unreachable", "connection_refused", "shop.test:80")
REFUSED = RequestFailure("refused", "host_not_allowed", "shop.test:443")

Write = Callable[[bytes], int]


@pytest.fixture
def pipe() -> Iterator[tuple[GatewayReports, Write]]:
    """The reader, and what writes into the pipe."""
    read, write = failure_pipe()
    yield GatewayReports(read), lambda data: os.write(write, data)
    os.close(write)


def line(failure: RequestFailure) -> bytes:
    return f"{failure.line}\n".encode()


async def test_the_latest_report_per_host_and_port_is_kept(pipe: tuple[GatewayReports, Write]) -> None:
    failures, write = pipe
    assert failures.latest("http://shop.test/") is None
    write(line(RequestFailure("unreachable", "connect_timeout", "shop.test:80")) + line(DOWN) + line(REFUSED))
    assert failures.latest("http://shop.test/offers?page=2") == DOWN
    assert failures.latest("https://shop.test/") == REFUSED
    assert failures.latest("http://other.test/") is None
    assert failures.latest("data:text/html,x") is None


async def test_the_latest_address_per_host_and_port_is_kept(pipe: tuple[GatewayReports, Write]) -> None:
    reports, write = pipe
    assert reports.address("http://shop.test/") is None
    for address in ("93.184.216.34", "2606:4700::1111"):
        write(f"{OriginAddress('shop.test:80', address).line}\n".encode() + line(DOWN))
    assert reports.address("http://shop.test/offers") == "2606:4700::1111"
    assert reports.latest("http://shop.test/offers") == DOWN
    assert reports.address("https://shop.test/") is None
    assert reports.address("about:blank") is None


async def test_each_request_to_a_blocked_host_is_told_of_once(pipe: tuple[GatewayReports, Write]) -> None:
    reports, write = pipe
    told: list[None] = []
    reports.on_blocked = lambda: told.append(None)
    write(line(RequestFailure("refused", "host_blocked", "ads.test:443")) * 2 + line(REFUSED))
    reports.read()
    assert len(told) == 2
    assert reports.latest("https://ads.test/") is not None
    assert len(told) == 2


async def test_a_line_may_come_in_two_pieces_and_another_text_is_no_report(
    pipe: tuple[GatewayReports, Write],
) -> None:
    failures, write = pipe
    write(b"nonsense\n\n\xff\n" + line(DOWN)[:20])
    assert failures.latest("http://shop.test/") is None
    write(line(DOWN)[20:])
    assert failures.latest("http://shop.test/") == DOWN


async def test_reports_are_read_as_they_come_and_old_ones_are_dropped(pipe: tuple[GatewayReports, Write]) -> None:
    failures, write = pipe
    failures.watch()
    for number in range(KEPT_HOSTS + 10):
        write(line(RequestFailure("refused", "host_not_allowed", f"{number}.test:80")))
        if number % 100 == 0:
            await asyncio.sleep(0.01)
    assert failures.latest("http://9.test/") is None
    assert failures.latest("http://10.test/") is not None
    assert failures.latest(f"http://{KEPT_HOSTS + 9}.test/") is not None


async def test_the_end_of_the_gateway_ends_the_reading() -> None:
    read, write = failure_pipe()
    failures = GatewayReports(read)
    failures.watch()
    os.write(write, line(DOWN))
    os.close(write)
    await asyncio.sleep(0.01)
    assert failures.latest("http://shop.test/") == DOWN
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://shop.test", "shop.test:80"),
        ("https://shop.test/a:1?b#c", "shop.test:443"),
        ("http://shop.test:8080/", "shop.test:8080"),
        ("http://[::1]/", "[::1]:80"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("http://me:secret@shop.test/", "shop.test:80"),
        ("about:blank", None),
        ("chrome-error://chromewebdata/", None),
        ("file:///etc", None),
        ("", None),
    ],
)
def test_authorities_are_those_of_chromiums_requests(url: str, authority: str | None) -> None:
    assert authority_of(url) == authority
