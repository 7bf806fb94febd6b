"""The line that has the address of an origin."""

import pytest

from pageworker_sandbox.wire.origin_address import OriginAddress, parse_address
from pageworker_sandbox.wire.request_failure import RequestFailure, parse_line

ADDRESSES = [
    OriginAddress("shop.test:80", "93.184.216.34"),
    OriginAddress("shop.test:8443", "2606:4700::1111"),
    OriginAddress("[2606:4700::1111]:443", "2606:4700::1111"),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_line_is_read_as_it_was_written_and_is_no_failure(address: OriginAddress) -> None:
    assert parse_address(address.line) == address
    assert parse_line(address.line) is None
    assert parse_address(RequestFailure("refused", "host_not_allowed", "shop.test:80").line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "origin shop.test|80",
        "origin  93.184.216.34",
        "origin shop.test:80 93.184.216.34",
        "origin shop.test|80 shop.test",
        "origin shop.test|80 93.184.216.34 more",
        "origin shop.test|80 93.184.216.34\n",
        f"origin {'x' * 301} 93.184.216.34",
    ],
)
def test_another_line_has_no_address(line: str) -> None:
    assert parse_address(line) is None
