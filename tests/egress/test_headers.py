"""Which headers are forwarded, and that framing is rebuilt."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress import headers
from pageworker_sandbox.egress.headers import HOP_BY_HOP, Header

NAMES = st.sampled_from(
    [
        *("X-Own", "Cookie", "X-Nominated"),
        *("Connection", "Keep-Alive", "TE", "Trailer", "Upgrade"),
        *("Proxy-Authorization", "Proxy-Connection"),
    ]
)
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from(["x", "X-Nominated", "close, x-own"])), max_size=12)


def request(*fields: tuple[str, str], method: str = "GET") -> h11.Request:
    return h11.Request(method=method, target="/", headers=[("Host", "inner.test"), *fields])


def names(found: list[Header]) -> list[bytes]:
    return [name.lower() for name, _ in found]


@given(FIELDS)
def test_no_hop_by_hop_header_no_credential_of_a_proxy_and_one_host_goes_on(fields: list[tuple[str, str]]) -> None:
    found = headers.for_origin(request(*fields), "shop.test", upgrade=False)
    assert found[0] == (b"Host", b"shop.test")
    assert names(found).count(b"host") == 1
    assert not set(names(found)) & HOP_BY_HOP
    assert not [name for name in names(found) if name.startswith(b"proxy-")]


@given(FIELDS)
def test_what_connection_names_is_dropped_and_all_else_is_kept_in_order(fields: list[tuple[str, str]]) -> None:
    nominated = {token.strip().lower() for name, value in fields if name == "Connection" for token in value.split(",")}
    kept = [
        name.lower().encode()
        for name, _ in fields
        if name in ("X-Own", "Cookie", "X-Nominated") and name.lower() not in nominated
    ]
    assert names(headers.for_origin(request(*fields), "shop.test", upgrade=False))[1:] == kept


def test_a_chunked_body_is_framed_as_chunked_whatever_length_it_claims() -> None:
    both = request(("Content-Length", "99"), ("Transfer-Encoding", "chunked"), method="POST")
    found = headers.for_origin(both, "shop.test", upgrade=False)
    assert (b"Transfer-Encoding", b"chunked") in found
    assert b"content-length" not in names(found)


@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        ("X-Own", "1", False),
        ("Content-Length", "0", False),
        ("Content-Length", "5", True),
        ("Transfer-Encoding", "chunked", True),
    ],
)
def test_whether_a_body_follows(name: str, value: str, body: bool) -> None:
    fields = ((name, value),)
    assert headers.has_body(request(*fields, method="POST")) is body


@pytest.mark.parametrize(
    ("fields", "method", "wanted"),
    [
        ((("Upgrade", "WebSocket"),), "GET", True),
        ((("Upgrade", "h2c"),), "GET", False),
        ((("Upgrade", "websocket"), ("Upgrade", "h2c")), "GET", False),
        ((("Upgrade", "websocket"),), "POST", False),
        ((("Upgrade", "websocket"), ("Content-Length", "3")), "GET", False),
        ((), "GET", False),
    ],
)
def test_only_a_websocket_is_offered_an_upgrade(fields: tuple[tuple[str, str], ...], method: str, wanted: bool) -> None:
    assert headers.wants_websocket(request(*fields, method=method)) is wanted


def test_a_response_keeps_its_length_and_loses_its_chunking() -> None:
    response = h11.Response(
        status_code=200, headers=[("Transfer-Encoding", "chunked"), ("X-Own", "1"), ("Keep-Alive", "5")]
    )
    assert headers.for_runner(response) == [(b"X-Own", b"1")]
    response = h11.Response(status_code=200, headers=[("Content-Length", "5")])
    assert headers.for_runner(response) == [(b"Content-Length", b"5")]


@pytest.mark.parametrize(
    ("fields", "status", "method", "length"),
    [
        ({"Content-Length": "65536"}, 200, b"GET", 65536),
        ({"Content-Length": "65536"}, 404, b"POST", 65536),
        ({"Content-Length": "65535"}, 200, b"GET", None),
        ({"Content-Length": "65536"}, 200, b"HEAD", None),
        ({"Content-Length": "65536"}, 304, b"GET", None),
        ({"Content-Length": "99999999999999999999"}, 200, b"GET", None),
        ({"Content-Length": "65536", "Transfer-Encoding": "chunked"}, 200, b"GET", None),
        ({}, 200, b"GET", None),
    ],
)
def test_a_body_is_large_by_its_length_alone(
    fields: dict[str, str], status: int, method: bytes, length: int | None
) -> None:
    response = h11.Response(status_code=status, headers=list(fields.items()))
    assert headers.large_body(response, method) == length
    assert headers.has_length(response) is (list(fields) == ["Content-Length"])


def test_a_switched_protocol_is_told_to_the_runner() -> None:
    switched = h11.InformationalResponse(
        status_code=101, headers=[("Upgrade", "websocket"), ("Sec-WebSocket-Accept", "a")]
    )
    assert dict(headers.for_runner(switched)) == {
        b"Sec-WebSocket-Accept": b"a",
        b"Connection": b"Upgrade",
        b"Upgrade": b"websocket",
    }


def test_trailers_lose_what_may_not_be_one() -> None:
    end = h11.EndOfMessage(headers=[("X-Sum", "9"), ("Content-Length", "7"), ("Host", "x"), ("Proxy-Status", "x")])
    assert headers.for_trailers(end) == [(b"X-Sum", b"9")]
