"""Handshakes with upstream proxies. Source: RFC 9110 section 9.3.6 (CONNECT), RFC 1928 and 1929 (SOCKS 5)."""

import base64
from ipaddress import IPv4Address

import h11

from pageworker_sandbox.egress.errors import Disconnected, TargetUnreachable
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target

MAX_ANSWER_BYTES = 16 * 1024


def credentials(proxy: UpstreamProxy) -> list[tuple[bytes, bytes]]:
    """The header that authenticates the gateway to an HTTP proxy. Empty without a user name."""
    if proxy.username is None:
        return []
    pair = f"{proxy.username}:{proxy.password or ''}".encode()
    return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(pair))]


async def handshake(stream: Stream, proxy: UpstreamProxy, target: Target) -> None:
    """Request a connection to the target from the proxy. Raises TargetUnreachable; the caller closes the stream."""
    try:
        if proxy.scheme == "socks5":
            await _socks5(ExactReader(stream), proxy, target)
        else:
            await _connect(stream, proxy, target)
    except Disconnected as error:
        raise TargetUnreachable("upstream_failed") from error


async def _connect(stream: Stream, proxy: UpstreamProxy, target: Target) -> None:
    state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_BYTES)
    authority = target.authority.encode()
    request = h11.Request(method="CONNECT", target=authority, headers=[(b"Host", authority), *credentials(proxy)])
    stream.write(state.send(request) + state.send(h11.EndOfMessage()))
    try:
        while (event := state.next_event()) is h11.NEED_DATA or isinstance(event, h11.InformationalResponse):
            if event is h11.NEED_DATA:
                state.receive_data(await stream.read())
    except h11.RemoteProtocolError as error:
        raise TargetUnreachable("upstream_failed") from error
    if not isinstance(event, h11.Response) or not 200 <= event.status_code < 300:
        raise TargetUnreachable("upstream_refused")
    if state.trailing_data[0]:
        raise TargetUnreachable("upstream_failed")


class ExactReader:
    """Reads an exact number of bytes, for a protocol without delimiters."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._held = b""

    async def read(self, count: int) -> bytes:
        while len(self._held) < count:
            data = await self.stream.read()
            if not data:
                raise Disconnected("the upstream proxy closed the connection in the handshake")
            self._held += data
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def nothing_left(self) -> bool:
        return not self._held


async def _socks5(exact: ExactReader, proxy: UpstreamProxy, target: Target) -> None:
    named = proxy.username is not None
    exact.stream.write(b"\x05\x01\x02" if named else b"\x05\x01\x00")
    version, method = await exact.read(2)
    if version != 5 or method != (2 if named else 0):
        raise TargetUnreachable("upstream_refused")
    if named:
        user, password = (proxy.username or "").encode(), (proxy.password or "").encode()
        exact.stream.write(b"\x01" + _counted(user) + _counted(password))
        if (await exact.read(2))[1] != 0:
            raise TargetUnreachable("upstream_refused")
    exact.stream.write(b"\x05\x01\x00" + _address(target) + target.port.to_bytes(2, "big"))
    version, reply, _, kind = await exact.read(4)
    if version != 5 or reply != 0:
        raise TargetUnreachable("upstream_refused")
    length = {1: 4, 4: 16}.get(kind) or (await exact.read(1))[0]
    await exact.read(length + 2)
    if not exact.nothing_left():
        raise TargetUnreachable("upstream_failed")


def _address(target: Target) -> bytes:
    if target.address is None:
        return b"\x03" + _counted(target.host.encode())
    kind = b"\x01" if isinstance(target.address, IPv4Address) else b"\x04"
    return kind + target.address.packed


def _counted(data: bytes) -> bytes:
    if len(data) > 255:
        raise TargetUnreachable("upstream_failed")
    return bytes((len(data),)) + data
