"""What a process of another trust zone sends: frames of all channels, in both directions, and a runner's whole talk.

An input: two bytes of choices, then either raw bytes, or parts that become frames with the right header.
"""

from collections.abc import Mapping

import msgspec

from fuzz.target import SEPARATOR, FuzzTarget, pieces_of
from pageworker_sandbox.dialer import messages as dialer
from pageworker_sandbox.egress import messages as egress
from pageworker_sandbox.wire import messages as runner
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.framing import HEADER, Parser, encode
from pageworker_sandbox.wire.message_rules import MessageRules
from pageworker_sandbox.wire.messages import Message, MessageSpec
from pageworker_sandbox.wire.request_failure import parse_line
from pageworker_supervisor.dispatch.outcome import NotJson, json_of

CHANNELS: tuple[dict[int, MessageSpec], ...] = (
    runner.TO_SUPERVISOR,
    runner.TO_RUNNER,
    egress.TO_SUPERVISOR,
    egress.TO_GATEWAY,
    dialer.FROM_GATEWAY,
    dialer.TO_GATEWAY,
    dialer.FROM_SUPERVISOR,
    dialer.TO_SUPERVISOR,
)
ATTEMPT = "a1"


def framed(specs: Mapping[int, MessageSpec], parts: list[bytes]) -> bytes:
    """A frame of each part: its first byte chooses the kind, the others are the body."""
    kinds = sorted(specs)
    frames = bytearray()
    for part in parts:
        kind = kinds[part[0] % len(kinds)] if part else kinds[0]
        body = part[1:]
        frames += HEADER.pack(kind, specs[kind].descriptors, len(body)) + body
    return bytes(frames)


def run(data: bytes) -> None:
    """Decode all frames, then follow the rules of a runner's messages. Raises ProtocolViolation, NotJson."""
    first, size, *_ = (*data[:2], 0, 0)
    specs = CHANNELS[(first & 0x7F) % len(CHANNELS)]
    raw = data[2:] if first & 0x80 else framed(specs, data[2:].split(SEPARATOR))
    messages = _decoded(specs, [raw])
    frames = _encoded(specs, messages)
    assert _encoded(specs, _decoded(specs, pieces_of(raw, size))) == frames, "frames in pieces are other messages"
    assert _encoded(specs, _decoded(specs, [frames])) == frames, "encoded again it is another message"
    if specs is runner.TO_SUPERVISOR:
        _talk(messages)


def _decoded(specs: dict[int, MessageSpec], pieces: list[bytes]) -> list[Message]:
    parser = Parser(specs)
    return [message for piece in pieces for message in parser.feed(piece)]


def _encoded(specs: dict[int, MessageSpec], messages: list[Message]) -> bytes:
    descriptors = {spec.message: spec.descriptors for spec in specs.values()}
    return b"".join(encode(specs, message, descriptors[type(message)]) for message in messages)


def _talk(messages: list[Message]) -> None:
    """What the supervisor does with a runner's messages before it knows what to make of them."""
    rules = MessageRules()
    rules.sent(ATTEMPT)
    for message in messages:
        rules.receive(message)
        match message:
            case runner.Offer(attempt_id=attempt_id):
                rules.granted(attempt_id)
            case runner.Done(data=data, failure=failure):
                json_of(data)
                if failure is not None:
                    json_of(failure.detail)
            case runner.LogLine(message=text):
                parse_line(text)


def _body(specs: dict[int, MessageSpec], message: Message) -> bytes:
    """A part that `framed` makes this message of."""
    index = next(index for index, kind in enumerate(sorted(specs)) if specs[kind].message is type(message))
    return bytes((index,)) + msgspec.msgpack.encode(message)


def _input(channel: int, *messages: Message, size: int = 5) -> bytes:
    return bytes((channel, size)) + SEPARATOR.join(_body(CHANNELS[channel], message) for message in messages)


_UP = (
    runner.Hello(protocol=runner.PROTOCOL),
    runner.Listener(port=4),
    runner.Ready(browser_version="1", pages=1, evidence={}),
)
SEEDS = (
    _input(
        0,
        *_UP,
        runner.Accepted(attempt_id=ATTEMPT, page=0),
        runner.LogLine(attempt_id=ATTEMPT, level="info", message="refused x a|80", fields={"a": "b"}),
        runner.SecretRequest(attempt_id=ATTEMPT, number=1, name="shop_login", form="totp"),
        runner.Offer(attempt_id=ATTEMPT, number=1, bytes=5),
        runner.ArtifactData(attempt_id=ATTEMPT, kind="html", content_type="text/html; charset=utf-8"),
        runner.Done(
            attempt_id=ATTEMPT, outcome="succeeded", data=msgspec.Raw(b"\x81\xa1a\x93\x01\xcb" + bytes(8) + b"\xc0")
        ),
        runner.Free(attempt_id=ATTEMPT),
        runner.Retire(cause="jobs", reason="enough"),
    ),
    _input(
        0,
        *_UP,
        runner.Done(
            attempt_id=ATTEMPT,
            outcome="failed",
            failure=runner.Failure(type="x", message="y", retryable=True, detail=msgspec.Raw(b"\xd6\xff" + bytes(4))),
            obstacle=runner.Obstacle(kind="captcha", url="http://a.test"),
        ),
    ),
    _input(
        1,
        runner.Run(
            attempt_id="a",
            job_id="j",
            tenant_id="t",
            profile_id=None,
            module="m",
            version="1",
            payload=b"{}",
            attempt=1,
            timeout_seconds=1.5,
            trace_id="",
            flags={"a": True},
        ),
    ),
    _input(1, runner.Cancel(attempt_id="a", outcome="cancelled"), runner.Ping(number=1), runner.Stop()),
    _input(2, egress.GatewayAnswer(number=1, usage={"r": egress.Usage(refused={"rate_limited": 1})})),
    _input(2, egress.AccessRecord(runner_id="r", method="GET", host="a.test", port=80, status=200, reason="x")),
    _input(
        2, egress.UpstreamState(url="http://a:1", up=False, reason="tls"), egress.ProxyLost(runner_id="r", error="x")
    ),
    _input(
        3,
        egress.Attach(
            number=1,
            runner_id="r",
            policy=egress.EgressPolicy(
                hosts=(("*",),), fixed={"a": "1.2.3.4"}, upstreams=(egress.Upstream(url="http://a:1"),)
            ),
        ),
    ),
    _input(
        4,
        dialer.Resolve(number=1, runner_id="r", name="a.test"),
        dialer.Connect(number=2, runner_id="r", address="::1", port=1),
    ),
    _input(5, dialer.Resolved(number=1, addresses=("1.2.3.4",)), dialer.NotConnected(number=2, refused="rate_limited")),
    _input(6, dialer.DialRules(ports=(80,), targets=("a.test:80",), barred=(22,))),
    _input(7, dialer.RulesAccepted(landlock_ports=True), dialer.RulesRefused(error="x")),
    b"\x80\x03" + framed(CHANNELS[0], [_body(CHANNELS[0], message) for message in _UP]),
)

FUZZ_TARGETS = (
    FuzzTarget(
        name="wire-frames",
        run=run,
        raises=(ProtocolViolation, NotJson),
        seeds=SEEDS,
        words=(
            SEPARATOR,
            *(_body(specs, message) for specs, message in ((CHANNELS[0], message) for message in _UP)),
            *(
                b"\xaaattempt_id\xa2a1",
                b"\xa6number",
                b"\xc0",
                b"\xc2",
                b"\xdf\xff\xff\xff\xff",
                b"\xdd\xff\xff\xff\xff",
            ),
            *(b"\xc7\x0c\xff", b"\xd7\xff", b"\xcb\x7f\xf8" + bytes(6), b"\xcf" + b"\xff" * 8, b"\xdb\xff\xff\xff\xff"),
        ),
        share=1.5,
        longest=1500,
    ),
)
