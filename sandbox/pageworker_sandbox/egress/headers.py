"""Which headers go on. Pure. Source: RFC 9110, section 7.6.1; RFC 9112, sections 3.2.2 and 6.

Framing is never copied: it is written anew from what was parsed, so that nobody further on can read another
message than the one that was looked at (request smuggling).
"""

from collections.abc import Sequence

import h11

Header = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"content-length")
)
OURS = (b"proxy-", b"pageworker-egress")
"""Never forwarded in either direction, whatever comes after."""
NOT_IN_TRAILERS = HOP_BY_HOP | {b"host", b"authorization", b"content-encoding", b"content-type", b"set-cookie"}


def for_origin(request: h11.Request, host: str, upgrade: bool) -> list[Header]:
    """Headers of a forwarded request. Host is the target's: the request line decides (RFC 9112, 3.2.2)."""
    raw = request.headers.raw_items()
    headers: list[Header] = [(b"Host", host.encode()), *_end_to_end(raw, b"host"), *_framing(raw)]
    if upgrade:
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers


def for_runner(response: h11.Response | h11.InformationalResponse) -> list[Header]:
    """Headers of a relayed response. Chunking is left to the runner's side, which knows its HTTP version."""
    raw = response.headers.raw_items()
    headers = _end_to_end(raw)
    if response.status_code == 101:
        return [*headers, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers + [header for header in _framing(raw) if header[0] == b"Content-Length"]


def for_trailers(trailers: h11.EndOfMessage) -> list[Header]:
    """Trailers without what may not stand in them (RFC 9110, section 6.5.1)."""
    return [
        (name, value)
        for name, value in trailers.headers.raw_items()
        if name.lower() not in NOT_IN_TRAILERS and not name.lower().startswith(OURS)
    ]


def wants_websocket(request: h11.Request) -> bool:
    """Whether to offer an upgrade. Only WebSocket: `h2c` would take the requests out of our sight."""
    raw = request.headers.raw_items()
    offered = [value.strip().lower() for name, value in raw if name.lower() == b"upgrade"]
    return offered == [b"websocket"] and request.method == b"GET" and not _framing(raw)


def has_body(request: h11.Request) -> bool:
    """Whether a body follows, be it an empty one in chunks."""
    return any(value != b"0" for _, value in _framing(request.headers.raw_items()))


def _end_to_end(raw: Sequence[Header], without: bytes = b"") -> list[Header]:
    dropped = HOP_BY_HOP | {without} | _nominated(raw)
    return [
        (name, value) for name, value in raw if (lower := name.lower()) not in dropped and not lower.startswith(OURS)
    ]


def _nominated(raw: Sequence[Header]) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower() for name, value in raw if name.lower() == b"connection" for token in value.split(b",")
    )


def _framing(raw: Sequence[Header]) -> list[Header]:
    """The one framing header, as h11 understood it: chunked wins over a length."""
    length: list[Header] = []
    for name, value in raw:
        match name.lower():
            case b"transfer-encoding":
                return [(b"Transfer-Encoding", b"chunked")]
            case b"content-length":
                length = [(b"Content-Length", value)]
    return length
