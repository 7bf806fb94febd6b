"""Whatever an upstream proxy answers, it is a failure by name or a connection, and never another error."""

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pw_doubles import any_typed

from pageworker_sandbox.egress.errors import TargetUnreachable, UpstreamFailed
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream import UpstreamHandshake, fault_of_status

TARGETS = (Target("shop.test", 443), *(Target(text, 80, ip_address(text)) for text in ("8.8.8.8", "2606:4700::1111")))
REPLIES = st.binary(max_size=40) | st.builds(
    lambda start, kind, rest: start + bytes((kind,)) + rest,
    st.sampled_from([b"\x05\x00\x05\x00\x00", b"\x05\x02\x01\x00\x05\x00\x00", b"\x05\x00\x05\x09\x00", b"\x04\x00"]),
    st.sampled_from([0, 1, 3, 4, 255]),
    st.binary(max_size=30),
)
HEADS = st.binary(max_size=60) | st.builds(
    lambda status, fields, rest: b"HTTP/1.1 %d X\r\n" % status + fields + b"\r\n" + rest,
    st.integers(0, 999),
    st.sampled_from(
        [b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"A\r\n", b"Connection: upgrade\r\n"]
    ),
    st.binary(max_size=10),
)


class AnsweringStream:
    """A connection to a proxy that has answered already, in pieces of any size, and has closed."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def ended(scheme: str, data: bytes, piece: int, target: Target | None, login: str | None) -> str:
    """How a handshake ends."""
    proxy = UpstreamProxy(scheme, Target("proxy.test", 3128), login, login, False)
    stream = AnsweringStream(data, piece)

    async def shake() -> str:
        handshake = UpstreamHandshake(any_typed(stream), proxy)
        told = False
        try:
            await handshake.greet()
            told = target is not None
            await (handshake.probe() if target is None else handshake.request(target))
        except UpstreamFailed as failure:
            return failure.fault if failure.doubtful == told else f"{failure.fault}, with the wrong blame"
        except TargetUnreachable as unreachable:
            return unreachable.reason if told else f"{unreachable.reason}, though it was told no target"
        return "connected"

    return asyncio.run(shake())


@given(REPLIES, st.integers(1, 7), st.sampled_from(TARGETS), st.sampled_from([None, "bob"]))
@example(b"\x05\x00\x05\x00\x00\x01" + bytes(6), 3, TARGETS[0], None)
def test_socks(data: bytes, piece: int, target: Target, login: str | None) -> None:
    found = ended("socks5", data, piece, target, login)
    whole = data.startswith(b"\x05\x02\x01\x00\x05\x00" if login else b"\x05\x00\x05\x00")
    assert "," not in found
    assert (found == "connected") <= whole


@given(HEADS, st.integers(1, 7), st.sampled_from([*TARGETS, None]))
@example(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n", 3, TARGETS[0])
@example(b"HTTP/1.1 200 X\r\n\r\nearly", 300, TARGETS[0])
def test_http(data: bytes, piece: int, target: Target | None) -> None:
    found = ended("http", data, piece, target, "bob")
    assert "," not in found
    if target is not None and found == "connected":
        assert data.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))


def test_complete_answers() -> None:
    accepted = b"\x05\x00\x05\x00\x00\x03\x04host\x00\x50"
    assert ended("socks5", accepted, 1, TARGETS[0], None) == "connected"
    assert ended("socks5", accepted + b"x", 99, TARGETS[0], None) == "protocol", "bytes before the tunnel was used"
    assert ended("http", b"HTTP/1.1 200 X\r\n\r\n", 5, TARGETS[0], None) == "connected"
    assert ended("http", b"", 5, None, None) == "connected", "some proxies answer CONNECT only"


@pytest.mark.parametrize(
    ("status", "ending"), [(407, "credentials"), (429, "refused"), (502, "upstream_refused"), (503, "upstream_refused")]
)
@pytest.mark.parametrize("piece", [3, 99])
def test_the_body_of_an_error_answer_is_no_fault(status: int, ending: str, piece: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nhello" % status
    assert ended("http", answer, piece, TARGETS[0], "bob") == ending


def test_every_status_is_the_proxys_or_the_targets() -> None:
    targets = {status for status in range(100, 600) if fault_of_status(status) is None}
    assert {403, 404, 500, 502, 503, 504} <= targets
    assert not targets & {100, 301, 400, 401, 402, 405, 407, 426, 429, 501, 505, 509, 511}


def test_a_stream_that_ends_is_closed() -> None:
    assert ended("socks5", b"\x05", 1, TARGETS[0], None) == "closed"
    assert ended("http", b"", 1, TARGETS[0], None) == "closed"
    assert ended("http", b"HTTP/1.1 2", 1, TARGETS[0], None) == "protocol"
