"""The handshake with an upstream proxy. Source: RFC 9110 sections 9.3.6 (CONNECT), 9.3.7 and 7.6.2 (OPTIONS), RFC 1928
and 1929 (SOCKS 5).

A proxy that fails to reach a target says so, and works. `fault_of_status` and `fault_of_reply` tell the two apart.
"""

import base64
from ipaddress import IPv4Address

import h11
from socksio import ProtocolError
from socksio.socks5 import (
    SOCKS5AType,
    SOCKS5AuthMethod,
    SOCKS5AuthMethodsRequest,
    SOCKS5AuthReply,
    SOCKS5Command,
    SOCKS5CommandRequest,
    SOCKS5Connection,
    SOCKS5Reply,
    SOCKS5ReplyCode,
    SOCKS5UsernamePasswordReply,
    SOCKS5UsernamePasswordRequest,
)

from pageworker_sandbox.egress.errors import Disconnected, TargetUnreachable, UnreachableReason, UpstreamFailed
from pageworker_sandbox.egress.messages import UpstreamFault
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target

MAX_ANSWER_BYTES = 16 * 1024
_CREDENTIALS = {401, 402, 407}
_REFUSED = {429, 509, 511}
_PROTOCOL = {400, 405, 426, 501, 505}
_TARGET_FAULTS: dict[SOCKS5ReplyCode, UnreachableReason] = {
    SOCKS5ReplyCode.GENERAL_SERVER_FAILURE: "upstream_refused",
    SOCKS5ReplyCode.CONNECTION_NOT_ALLOWED_BY_RULESET: "upstream_refused",
    SOCKS5ReplyCode.NETWORK_UNREACHABLE: "address_unreachable",
    SOCKS5ReplyCode.HOST_UNREACHABLE: "address_unreachable",
    SOCKS5ReplyCode.CONNECTION_REFUSED: "connection_refused",
    SOCKS5ReplyCode.TTL_EXPIRED: "connect_timeout",
}
"""What a SOCKS proxy says of the target. Any other reply but success is the proxy's fault."""


def fault_of_status(status: int) -> UpstreamFault | None:
    """The proxy's fault that a status of CONNECT means. None: it says something of the target.

    The target's are 403 and 404 (the proxy's own rules forbid the target), 500, 502, 503 and 504. Squid answers 503,
    and tinyproxy 500, for a host that is down.
    """
    if status in _CREDENTIALS:
        return "credentials"
    if status in _REFUSED:
        return "refused"
    return "protocol" if status in _PROTOCOL or status < 400 else None


def credentials(proxy: UpstreamProxy) -> list[tuple[bytes, bytes]]:
    """The header that authenticates the gateway to an HTTP proxy. Empty without a user name."""
    if proxy.username is None:
        return []
    pair = f"{proxy.username}:{proxy.password or ''}".encode()
    return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(pair))]


class UpstreamHandshake:
    """One connection to an upstream proxy. First `greet`, then `request` or `probe`."""

    def __init__(self, stream: Stream, proxy: UpstreamProxy) -> None:
        self.stream = stream
        self._proxy = proxy
        self._exact = ExactReader(stream)
        self._socks = SOCKS5Connection()

    async def greet(self) -> None:
        """Log in to a SOCKS proxy. An HTTP proxy gets the credentials with the request. Raises UpstreamFailed."""
        if self._proxy.scheme != "socks5":
            return
        try:
            await self._log_in()
        except Disconnected as error:
            raise UpstreamFailed("closed") from error
        except ProtocolError as error:
            raise UpstreamFailed("protocol") from error

    async def request(self, target: Target) -> None:
        """Request a connection to the target. Raises UpstreamFailed (doubtful), TargetUnreachable."""
        try:
            if self._proxy.scheme == "socks5":
                await self._socks_connect(target)
            else:
                await self._connect(target)
        except Disconnected as error:
            raise UpstreamFailed("closed", doubtful=True) from error
        except (ProtocolError, h11.RemoteProtocolError) as error:
            raise UpstreamFailed("protocol", doubtful=True) from error

    async def probe(self) -> None:
        """Ask an HTTP proxy something that concerns the proxy alone. Raises UpstreamFailed.

        Any HTTP answer passes, except one about credentials. So does an end without a word: some proxies answer CONNECT
        only.
        """
        if self._proxy.scheme == "socks5":
            return
        try:
            host = self._proxy.target.authority.encode()
            response = await self._ask(
                h11.Request(method="OPTIONS", target="*", headers=self._headers(host, (b"Max-Forwards", b"0")))
            )
        except Disconnected:
            return
        except h11.RemoteProtocolError as error:
            raise UpstreamFailed("protocol") from error
        if fault_of_status(response.status_code) == "credentials":
            raise UpstreamFailed("credentials")

    async def _connect(self, target: Target) -> None:
        authority = target.authority.encode()
        response = await self._ask(h11.Request(method="CONNECT", target=authority, headers=self._headers(authority)))
        if 200 <= response.status_code < 300:
            return
        fault = fault_of_status(response.status_code)
        if fault is not None:
            raise UpstreamFailed(fault, doubtful=True)
        raise TargetUnreachable("upstream_refused", timed_out=response.status_code == 504)

    async def _ask(self, request: h11.Request) -> h11.Response:
        """Send a request and read the head of its answer. Raises Disconnected, RemoteProtocolError."""
        state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_BYTES)
        self.stream.write((state.send(request) or b"") + (state.send(h11.EndOfMessage()) or b""))
        answered = False
        while not isinstance(event := state.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                data = await self.stream.read()
                answered = answered or bool(data)
                if not data and not answered:
                    raise Disconnected("the upstream proxy closed the connection without an answer")
                state.receive_data(data)
            elif not isinstance(event, h11.InformationalResponse):
                raise Disconnected("the upstream proxy closed the connection in its answer")
        # After another answer, these bytes are its body.
        if request.method == b"CONNECT" and 200 <= event.status_code < 300 and state.trailing_data[0]:
            raise h11.RemoteProtocolError("bytes before the tunnel was used")
        return event

    def _headers(self, host: bytes, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        return [(b"Host", host), *more, *credentials(self._proxy)]

    async def _log_in(self) -> None:
        named = self._proxy.username is not None
        method = SOCKS5AuthMethod.USERNAME_PASSWORD if named else SOCKS5AuthMethod.NO_AUTH_REQUIRED
        reply = await self._socks_ask(SOCKS5AuthMethodsRequest([method]), 2)
        if not isinstance(reply, SOCKS5AuthReply) or reply.method not in (
            method,
            SOCKS5AuthMethod.NO_ACCEPTABLE_METHODS,
        ):
            raise UpstreamFailed("protocol")
        if reply.method is not method:
            raise UpstreamFailed("credentials")
        if named:
            user, password = (self._proxy.username or "").encode(), (self._proxy.password or "").encode()
            answer = await self._socks_ask(SOCKS5UsernamePasswordRequest(user, password), 2, version=1)
            if not isinstance(answer, SOCKS5UsernamePasswordReply) or not answer.success:
                raise UpstreamFailed("credentials")

    async def _socks_connect(self, target: Target) -> None:
        kind, address = SOCKS5AType.DOMAIN_NAME, target.host.encode()
        if target.address is not None:
            is_v4 = isinstance(target.address, IPv4Address)
            kind = SOCKS5AType.IPV4_ADDRESS if is_v4 else SOCKS5AType.IPV6_ADDRESS
            address = target.address.packed
        self._socks.send(SOCKS5CommandRequest(SOCKS5Command.CONNECT, kind, address, target.port))
        self.stream.write(self._socks.data_to_send())
        head = await self._exact.read(4)
        length = {1: 4, 4: 16}.get(head[3])
        # The length is read by the same rule as in socksio, which decodes one whole reply.
        counted = b"" if length is not None else await self._exact.read(1)
        rest = await self._exact.read((length if length is not None else counted[0]) + 2)
        if head[:1] != b"\x05":
            raise UpstreamFailed("protocol", doubtful=True)
        reply = self._socks.receive_data(head + counted + rest)
        if not isinstance(reply, SOCKS5Reply):
            raise UpstreamFailed("protocol", doubtful=True)
        reason = _TARGET_FAULTS.get(reply.reply_code)
        if reason is not None:
            raise TargetUnreachable(reason, timed_out=reason == "connect_timeout")
        if reply.reply_code is not SOCKS5ReplyCode.SUCCEEDED or not self._exact.nothing_left():
            raise UpstreamFailed("protocol", doubtful=True)

    async def _socks_ask(
        self, request: SOCKS5AuthMethodsRequest | SOCKS5UsernamePasswordRequest, count: int, version: int = 5
    ) -> SOCKS5AuthReply | SOCKS5UsernamePasswordReply | SOCKS5Reply:
        self._socks.send(request)
        self.stream.write(self._socks.data_to_send())
        reply = await self._exact.read(count)
        if reply[0] != version:
            raise UpstreamFailed("protocol")
        return self._socks.receive_data(reply)


class ExactReader:
    """Reads an exact number of bytes, for a protocol without delimiters."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._held = b""

    async def read(self, count: int) -> bytes:
        """Raises Disconnected if the stream ends before."""
        while len(self._held) < count:
            data = await self.stream.read()
            if not data:
                raise Disconnected("the upstream proxy closed the connection in the handshake")
            self._held += data
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def nothing_left(self) -> bool:
        """Whether no byte was received beyond those that were read."""
        return not self._held
