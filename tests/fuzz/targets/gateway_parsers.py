"""What the gateway parses before it decides: targets, heads, hosts. A second reader must read the same."""

import atexit
import re
import socket
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any, cast

import h11

from fuzz.target import SEPARATOR, FuzzTarget, parts_of
from fuzz.virtual_loop import VirtualLoop
from pageworker_sandbox.egress import headers
from pageworker_sandbox.egress.address import is_public, unmap
from pageworker_sandbox.egress.errors import MalformedTarget, TargetUnreachable, UpstreamFailed
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target, parse_authority, parse_url, requested_authority
from pageworker_sandbox.egress.upstream import UpstreamHandshake
from pageworker_sandbox.hostname import HostInvalid, host_of_url, normalise_host, normalise_host_glob
from pageworker_sandbox.wire.request_failure import RequestFailure, parse_line

# ---- the target of a request ----


def run_target(data: bytes) -> None:
    """Parse it as an authority and as a URL. A host that inet_aton(3) reads as an address must be one here too."""
    requested_authority(b"GET", data)
    authority = requested_authority(b"CONNECT", data)
    line = RequestFailure("refused", "malformed_request", authority).line
    parsed = parse_line(line)
    assert parsed is None or parsed.line == line
    with suppress(MalformedTarget):
        target, path = parse_url(data)
        assert path.startswith(b"/")
        _check_target(target)
    _check_target(parse_authority(data, 80))


def _check_target(target: Target) -> None:
    assert parse_authority(target.authority.encode()) == target
    if target.address is not None:
        assert unmap(target.address) == target.address
        is_public(target.address)
        return
    assert re.fullmatch(r"[a-z0-9._-]{1,253}", target.host)
    with suppress(OSError):
        found = IPv4Address(socket.inet_aton(target.host))
        raise AssertionError(f"inet_aton reads {target.host} as {found}")


TARGET = FuzzTarget(
    name="request-target",
    run=run_target,
    raises=(MalformedTarget,),
    seeds=(
        *(b"a.test:80", b"http://a.test/x?y#z", b"[::ffff:10.0.0.1]:443", b"0x7f.1:80", b"0177.0.0.1:1", b"127.1"),
        *(b"HTTP://A.Test.:81", b"[fe80::1]:80", b"[64:ff9b::a00:1]", b"4294967295:80", b"http://[::1]/", b"a_b.test"),
    ),
    words=(b"http://", b"[::", b"0x", b"::ffff:", b"64:ff9b::", b".", b":80", b"xn--", b"@", b"localhost"),
    share=2.0,
    longest=300,
)

# ---- the head of a request ----


def run_head(data: bytes) -> None:
    """Parse it, and rebuild it for the origin. A second reader must find the same request, and no header of a hop."""
    runner = h11.Connection(h11.SERVER, max_incomplete_event_size=32 * 1024)
    runner.receive_data(data)
    request = runner.next_event()
    if not isinstance(request, h11.Request):
        return
    target, path = parse_url(request.target)
    upgrade = headers.wants_websocket(request)
    rebuilt = h11.Request(
        method=request.method, target=path, headers=headers.for_origin(request, target.http_host, upgrade)
    )
    sender = h11.Connection(h11.CLIENT)
    head = sender.send(rebuilt)
    assert head is not None
    origin = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    origin.receive_data(head)
    read = origin.next_event()
    assert isinstance(read, h11.Request), f"the origin reads {read!r}"
    assert (read.method, read.target) == (request.method, path)
    assert [value for name, value in read.headers if name == b"host"] == [target.http_host.encode()]
    names = {name for name, _ in read.headers}
    assert not names & {b"keep-alive", b"te", b"trailer"}
    assert not any(name.startswith(b"proxy-") for name in names)
    assert (b"upgrade" in names) == upgrade
    assert headers.has_body(read) == headers.has_body(request)


HEAD = FuzzTarget(
    name="request-head",
    run=run_head,
    raises=(MalformedTarget, h11.RemoteProtocolError),
    seeds=(
        b"GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\nConnection: X-A, close\r\nX-A: 1\r\nProxy-X: 1\r\n\r\n",
        b"POST http://a.test:81 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTE: x\r\n\r\nabc",
        b"POST http://a.test/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ),
    words=(
        *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Connection: ", b"Upgrade: websocket\r\n"),
        *(b"Host: a.test\r\n", b"Expect: 100-continue\r\n", b"Keep-Alive: 1\r\n", b"Trailer: X\r\n", b"\r\n "),
        *(b"HTTP/1.0", b"HTTP/1.1", b"http://a.test/", b"Proxy-Connection: x\r\n", b"chunked, identity"),
    ),
    share=1.2,
    longest=600,
)

# ---- the answers of an upstream proxy ----

LOOP = VirtualLoop()
atexit.register(LOOP.close)
TARGETS = (None, Target("shop.test", 443), parse_authority(b"8.8.8.8:80"), parse_authority(b"[2606:4700::1111]:80"))


class _AnsweredStream:
    """A connection to a proxy that has answered already, in two pieces, and has closed."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def write(self, data: bytes) -> None:
        """The proxy has answered already."""

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def run_upstream(data: bytes) -> None:
    """Greet a proxy and request a target of it, or probe it. A failure blames the target only if it was told one."""
    choices, cut, *_ = (*data[:2], 0, 0)
    answer = data[2:]
    login = "bob" if choices & 4 else None
    proxy = UpstreamProxy(("http", "socks5")[choices & 1], Target("proxy.test", 3128), login, login, False)
    stream = _AnsweredStream([answer[:cut], answer[cut:]])
    # The stream has the methods that a handshake calls.
    handshake = UpstreamHandshake(cast(Stream, cast(Any, stream)), proxy)
    LOOP.run_to_end(_shake(handshake, TARGETS[choices >> 3 & 3]))


async def _shake(handshake: UpstreamHandshake, target: Target | None) -> None:
    told = False
    try:
        await handshake.greet()
        told = target is not None
        await (handshake.probe() if target is None else handshake.request(target))
    except (UpstreamFailed, TargetUnreachable) as failure:
        if told != (isinstance(failure, TargetUnreachable) or failure.doubtful):
            raise AssertionError("the wrong one is blamed") from failure
        raise


UPSTREAM = FuzzTarget(
    name="upstream-answer",
    run=run_upstream,
    raises=(UpstreamFailed, TargetUnreachable),
    seeds=(
        b"\x09\x03\x05\x00\x05\x00\x00\x01\x08\x08\x08\x08\x00\x50",
        b"\x0d\x63\x05\x02\x01\x00\x05\x00\x00\x03\x04host\x00\x50",
        b"\x0d\x63\x05\x02\x01\x00\x05\x05\x00\x04" + bytes(18),
        b"\x01\x01\x05\x00",
        b"\x08\x05HTTP/1.1 200 OK\r\n\r\n",
        b"\x08\x63HTTP/1.1 100 C\r\n\r\nHTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\nhello",
        b"\x00\x63HTTP/1.0 405 No\r\n\r\n",
    ),
    words=(
        b"HTTP/1.1 ",
        b"200",
        b"101",
        b"407",
        b"504",
        b"\r\n\r\n",
        b"\x05\x00",
        b"\x05\x02",
        b"\x01\x00",
        b"\x05\xff",
    ),
    share=1.0,
    longest=400,
)

# ---- host names ----


def run_host(data: bytes) -> None:
    """The canonical form of a host is canonical, and a URL's host is in canonical form."""
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")
    with suppress(HostInvalid):
        host = normalise_host(text)
        assert normalise_host(host) == host, f"{text!r}, {host!r}, {normalise_host(host)!r}"
    with suppress(HostInvalid):
        glob = normalise_host_glob(text)
        assert normalise_host_glob(glob) == glob, f"{text!r}, {glob!r}, {normalise_host_glob(glob)!r}"
    found = host_of_url(parts_of(data, 2)[0].decode("utf-8", "replace"))
    if found is not None:
        assert normalise_host(found) == found, f"{text!r}, {found!r}, {normalise_host(found)!r}"


HOST = FuzzTarget(
    name="host-name",
    run=run_host,
    raises=(HostInvalid,),
    seeds=(
        *("München.test.".encode(), b"0x7f.1", b"::1", b"[::ffff:1.2.3.4]", b"*.a.test", b"sh%6Fp.test", b"a?.test"),
        *(
            b"https://u:p@a.test:8/x",
            b"view-source:blob:http://a.test",
            b"ws://b.test",
            b"data:x",
            "a。b.test".encode(),
        ),
    ),
    words=(
        b"http://",
        b"xn--",
        b"%2e",
        "\u3002".encode(),
        b"view-source:",
        b"blob:",
        b"::",
        b"*.",
        b"//",
        b"0x",
        SEPARATOR,
    ),
    share=1.2,
    longest=300,
)

FUZZ_TARGETS = (TARGET, HEAD, UPSTREAM, HOST)
