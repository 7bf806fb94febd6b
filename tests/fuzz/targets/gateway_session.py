"""One connection of a runner through the egress gateway, with all that its origins and upstream proxies answer.

The protocol objects are the gateway's own. Only sockets and the clock are replaced.

An input: two bytes of choices, then parts: what the runner sends, and what each of the next connections answers.
"""

import asyncio
import atexit
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast

import h11

from fuzz.memory_transport import MemoryTransport, PeerEnd, PeerScript
from fuzz.target import SEPARATOR, FuzzTarget, parts_of, pieces_of
from fuzz.virtual_loop import VirtualLoop
from pageworker_sandbox.dialer.connector import Resolution
from pageworker_sandbox.egress.access_log import AccessLog, AccessSampling
from pageworker_sandbox.egress.address import Address, is_public
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import TO_SUPERVISOR, EgressPolicy, Reason, RefusalNotice, Upstream
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.session import ESTABLISHED, serve
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.wire.framing import Parser, encode
from pageworker_sandbox.wire.messages import Message
from pageworker_sandbox.wire.request_failure import MAX_LINE_BYTES, RequestFailure, parse_line

FIXED, FIXED_PORT = ip_address("10.9.9.9"), 8080
PROXY = ip_address("10.8.8.8")
PUBLIC = ip_address("93.184.216.34")
MOST_CONNECTIONS = 6
# The CPU budget must not make a test wait: it reads the real clock.
LIMITS = EgressLimits(parse_share=1e9)
HOSTS = (("*.test", "fixed.example", "8.8.8.8", "2606:4700::1111", "localhost", "127.0.0.1"),)


def _policy(*upstreams: Upstream, **more: Any) -> EgressPolicy:
    fixed = {"fixed.example": f"{FIXED}:{FIXED_PORT}"}
    return EgressPolicy(hosts=HOSTS, ports=(80, 443), fixed=fixed, upstreams=upstreams, **more)


POLICIES = (
    _policy(),
    _policy(Upstream(url=f"http://{PROXY}:3128", resolves=True)),
    _policy(Upstream(url=f"http://{PROXY}:3128", username="bob", password="hunter2")),
    _policy(Upstream(url=f"socks5://{PROXY}:1080", username="bob", password="hunter2")),
    _policy(
        Upstream(url=f"socks5://{PROXY}:1080", resolves=True),
        Upstream(url=f"https://{PROXY}:3129", resolves=True, username="bob", password="hunter2"),
        without_upstream="direct",
    ),
    _policy(budget_bytes=300, budget_requests=2),
)
PROXY_PORTS = {3128, 3129, 1080}


@dataclass
class _Dialed:
    """Stands for a connected socket."""

    script: PeerScript
    address: Address
    port: int
    transport: MemoryTransport | None = None

    def close(self) -> None:
        """It was not used."""


@dataclass
class _Dialer:
    """A `Connector` whose connections follow the input's scripts. Asserts what it is asked for."""

    scripts: Iterator[PeerScript]
    dialed: list[_Dialed] = field(default_factory=list)

    async def resolve(self, name: str) -> Resolution:
        if name.startswith("gone"):
            raise OSError("no such name")
        return Resolution((ip_address("10.0.0.1") if name.startswith("private") else PUBLIC,), local=False)

    async def connect(self, address: Address, port: int) -> Any:
        fixed = (address, port) == (FIXED, FIXED_PORT)
        proxy = address == PROXY and port in PROXY_PORTS
        assert fixed or proxy or (is_public(address) and port in (80, 443)), f"connects to {address}:{port}"
        script = next(self.scripts, None)
        if script is None:
            raise ConnectionRefusedError(111, "refused")
        self.dialed.append(_Dialed(script, address, port))
        return self.dialed[-1]

    def close(self) -> None:
        """Nothing is pending."""


class _Reports(FailureReports):
    """Checks each line instead of writing it."""

    def __init__(self) -> None:
        super().__init__(-1)

    def report(self, failure: RequestFailure) -> None:
        line = failure.line
        if len(line) + 1 <= MAX_LINE_BYTES:
            parsed = parse_line(line)
            assert parsed is None or parsed.line == line
            assert "\n" not in line


LOOP = VirtualLoop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    """One session. Raises nothing but AssertionError."""
    first, second = (*data[:2], 0, 0)[:2]
    texts = parts_of(data[2:], MOST_CONNECTIONS + 1)
    size = (0, 0, 1, 7)[second & 3]
    runner = PeerScript(pieces_of(texts[0], size), PeerEnd(second >> 2 & 3), waits=False)
    end, waits = PeerEnd(second >> 4 & 3), not second >> 6 & 1
    scripts = iter([PeerScript(pieces_of(text, size), end, waits) for text in texts[1:]])
    LOOP.run_to_end(_session(POLICIES[first % len(POLICIES)], runner, _Dialer(scripts)))


async def _session(policy: EgressPolicy, script: PeerScript, dialer: _Dialer) -> None:
    def connections(protocol: asyncio.Protocol, sock: Any, tls: bool) -> MemoryTransport:
        sock.transport = MemoryTransport(LOOP, protocol, sock.script, tls)
        # The loop made it.
        return cast(MemoryTransport, sock.transport)

    LOOP.connections = connections
    sent: list[Message] = []

    def on_refusal(reason: Reason, target: Target) -> None:
        sent.append(RefusalNotice(runner_id="r", reason=reason, host=target.host, port=target.port))

    sampling = AccessSampling()
    sampling.share = 1.0
    access = AccessLog("r", LIMITS, sampling, LOOP.time, lambda: None)
    # In place of a TLS context: no proxy of this policy is reached by TLS.
    upstreams = UpstreamMonitor(UpstreamConnector(dialer, cast(Any, object()), LIMITS), sent.append)
    enforcer = PolicyEnforcer(policy, LIMITS, dialer, on_refusal, lambda *_: None, upstreams, access=access)
    stream = Stream(LIMITS.buffer_bytes)
    transport = MemoryTransport(LOOP, stream, script)
    stream.connection_made(transport)
    async with asyncio.TaskGroup() as group:
        probes = group.create_task(upstreams.run())
        try:
            await serve(enforcer, stream, _Reports())
        finally:
            stream.abort("the session has ended")
            enforcer.close()
            probes.cancel()
    # Twice: an aborted connection reports its loss in the next turn of the loop.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    _check_messages([*sent, *access.drain()])
    for dialed in dialer.dialed:
        _check_origin(policy, dialed)
    assert b"hunter2" not in transport.received, "the runner got the proxy's password"


def _check_messages(messages: list[Message]) -> None:
    """The supervisor must be able to read each: otherwise a runner ends the gateway for all."""
    parser = Parser(TO_SUPERVISOR)
    for message in messages:
        assert parser.feed(encode(TO_SUPERVISOR, message)) == [message]


_CREDENTIALS = re.compile(rb"^proxy-", re.IGNORECASE)


def _check_origin(policy: EgressPolicy, dialed: _Dialed) -> None:
    """What an origin got is HTTP as the gateway writes it: one reading only, and no header for a proxy."""
    if dialed.transport is None or dialed.port in PROXY_PORTS or dialed.port == 443:
        return
    got = bytes(dialed.transport.received)
    if policy.upstreams and not got.startswith((b"GET ", b"POST ")):
        return
    origin = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    origin.receive_data(got)
    while True:
        event = origin.next_event()
        if isinstance(event, h11.Request):
            names = [name for name, _ in event.headers]
            assert not any(_CREDENTIALS.match(name) for name in names), (
                f"headers for a proxy went to an origin: {names}"
            )
            assert names.count(b"host") == 1
            assert event.target.startswith((b"/", b"*")), f"the target {event.target!r}"
            if b"upgrade" in names:
                return  # what follows is another protocol
        elif event is h11.PAUSED:
            origin.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            origin.send(h11.EndOfMessage())
            if origin.our_state is not h11.DONE or origin.their_state is not h11.DONE:
                return
            origin.start_next_cycle()
        elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
            return


def _input(policy: int, choices: int, runner: bytes, *answers: bytes) -> bytes:
    return bytes((policy, choices)) + SEPARATOR.join((runner, *answers))


GET = b"GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n\r\n"
POST = (
    b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
)
CONNECT = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
UPGRADE = b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n"
SOCKS_OK = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
SEEDS = (
    _input(0, 0, GET, OK),
    _input(0, 0, GET + GET, OK + OK),
    _input(0, 2, POST, b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED),
    _input(0, 3, GET, b"HTTP/1.0 200 OK\r\n\r\nuntil the end"),
    _input(0, 0, CONNECT + b"hello", b"world"),
    _input(0, 8, UPGRADE, b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes"),
    _input(0, 0, b"OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", OK),
    _input(0, 0, b"GET http://fixed.example:80/ HTTP/1.0\r\n\r\n", OK),
    _input(0, 0, b"GET http://private.test/ HTTP/1.1\r\nHost: x\r\n\r\n", OK),
    _input(0, 0, b"GET http://a.test/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eDp5\r\nTE: x\r\n\r\n", OK),
    _input(0, 0, b"GET http://gone.test/ HTTP/1.1\r\nHost: x\r\n\r\n", OK),
    _input(0, 0, b"CONNECT [2606:4700::1111]:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"x"),
    _input(1, 0, GET, OK),
    _input(1, 0, GET, b"HTTP/1.1 407 N\r\nContent-Length: 0\r\n\r\n", OK),
    _input(2, 0, GET, ESTABLISHED, OK),
    _input(2, 0, CONNECT, b"HTTP/1.1 403 No\r\n\r\n"),
    _input(3, 0, GET, b"\x05\x02\x01\x00" + SOCKS_OK),
    _input(3, 0, CONNECT, b"\x05\x02\x01\x00\x05\x05\x00\x01" + bytes(6)),
    _input(4, 0, GET, b"\x05\xff", OK, OK),
    _input(4, 0, CONNECT, b"\x05\x00\x05\x00\x00\x03\x01a\x00\x50", b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    _input(5, 0, GET + GET, OK + OK),
)

SESSION = FuzzTarget(
    name="gateway-session",
    run=run,
    raises=(),
    seeds=SEEDS,
    words=(
        SEPARATOR,
        *(GET, POST, CONNECT, UPGRADE, OK, CHUNKED, SOCKS_OK, ESTABLISHED),
        *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"HTTP/1.0"),
        *(b"Expect: 100-continue\r\n", b"Proxy-Authorization: x\r\n", b"Host: a.test\r\n", b"HEAD ", b"TRACE "),
        *(
            b"http://fixed.example/",
            b"http://private.test/",
            b"http://gone.test/",
            b"http://127.0.0.1/",
            b"204",
            b"304",
        ),
    ),
    share=0.8,
    longest=1024,
)

FUZZ_TARGETS = (SESSION,)
