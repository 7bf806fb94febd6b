"""Which headers are forwarded. Pure. Source: RFC 9110, section 7.6.1; RFC 9112, sections 3.2.2 and 6.

Framing headers are never copied. They are rebuilt from the parsed message, so that the next hop cannot read a
different message than the one that was checked (request smuggling).
"""

from collections.abc import Sequence

import h11

Header = tuple[bytes, bytes]

LARGE_BODY_BYTES = 64 * 1024
MOST_BODY_BYTES = 1 << 53
"""No body is larger, whatever its head says."""
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"content-length")
)
BETWEEN_PROXIES = b"proxy-"
"""Prefix of headers that are never forwarded, in either direction."""
NOT_IN_TRAILERS = HOP_BY_HOP | {b"host", b"authorization", b"content-encoding", b"content-type", b"set-cookie"}


def for_origin(request: h11.Request, host: str, upgrade: bool) -> list[Header]:
    """Headers of a forwarded request. `Host` is taken from the request line (RFC 9112, section 3.2.2)."""
    raw = request.headers.raw_items()
    headers: list[Header] = [(b"Host", host.encode()), *_end_to_end(raw, b"host"), *_framing(raw)]
    if upgrade:
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers


def for_runner(response: h11.Response | h11.InformationalResponse) -> list[Header]:
    """Headers of a response to the runner. h11 adds chunking if the runner's HTTP version has it."""
    raw = response.headers.raw_items()
    headers = _end_to_end(raw)
    if response.status_code == 101:
        return [*headers, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers + [header for header in _framing(raw) if header[0] == b"Content-Length"]


def for_trailers(trailers: h11.EndOfMessage) -> list[Header]:
    """Trailers without the fields that a trailer must not have (RFC 9110, section 6.5.1)."""
    return [
        (name, value)
        for name, value in trailers.headers.raw_items()
        if name.lower() not in NOT_IN_TRAILERS and not name.lower().startswith(BETWEEN_PROXIES)
    ]


def wants_websocket(request: h11.Request) -> bool:
    """Whether to forward an upgrade. Only WebSocket is: over `h2c` the gateway could not check requests."""
    raw = request.headers.raw_items()
    offered = [value.strip().lower() for name, value in raw if name.lower() == b"upgrade"]
    return offered == [b"websocket"] and request.method == b"GET" and not _framing(raw)


def has_body(request: h11.Request) -> bool:
    """Whether a body follows. An empty chunked body counts as one."""
    return any(value != b"0" for _, value in _framing(request.headers.raw_items()))


def has_length(response: h11.Response) -> bool:
    """Whether any byte after the head is one of the body."""
    framing = _framing(response.headers.raw_items())
    return bool(framing) and framing[0][0] == b"Content-Length"


def large_body(response: h11.Response, method: bytes) -> int | None:
    """The length of a response's body, if it is large and known. None: parse it."""
    if method == b"HEAD" or response.status_code in (204, 304):
        return None
    if not has_length(response):
        return None
    length = int(_framing(response.headers.raw_items())[0][1])  # h11 has checked that it is a number
    return length if LARGE_BODY_BYTES <= length <= MOST_BODY_BYTES else None


def _end_to_end(raw: Sequence[Header], without: bytes = b"") -> list[Header]:
    dropped = HOP_BY_HOP | {without} | _nominated(raw)
    return [
        (name, value)
        for name, value in raw
        if (lower := name.lower()) not in dropped and not lower.startswith(BETWEEN_PROXIES)
    ]


def _nominated(raw: Sequence[Header]) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower() for name, value in raw if name.lower() == b"connection" for token in value.split(b",")
    )


def _framing(raw: Sequence[Header]) -> list[Header]:
    """The framing header, as h11 reads it: chunked has precedence over a length."""
    length: list[Header] = []
    for name, value in raw:
        match name.lower():
            case b"transfer-encoding":
                return [(b"Transfer-Encoding", b"chunked")]
            case b"content-length":
                length = [(b"Content-Length", value)]
    return length
