"""Frames: every split of the stream gives the same messages, and nothing else becomes a message."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.framing import HEADER, Parser, encode

SAMPLES = [
    m.Hello(protocol=1),
    m.Pong(number=7),
    m.LogLine(attempt_id="a", level="info", message="x" * 100),
    m.Done(attempt_id="a", outcome="succeeded"),
    m.Free(attempt_id="a"),
]


@given(st.lists(st.sampled_from(SAMPLES), max_size=8), st.lists(st.integers(1, 60), min_size=1))
def test_every_split_of_the_stream_gives_the_same_messages(messages: list[m.Message], cuts: list[int]) -> None:
    stream = b"".join(encode(m.TO_SUPERVISOR, message) for message in messages)
    parser, seen, turn = Parser(m.TO_SUPERVISOR), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        seen += parser.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert seen == messages


@given(st.binary(min_size=1, max_size=300))
def test_garbage_never_becomes_a_crash(untrusted: bytes) -> None:
    parser = Parser(m.TO_SUPERVISOR)
    try:
        messages = parser.feed(untrusted)
    except ProtocolViolation:
        return
    assert all(isinstance(message, m.Message) for message in messages)


@pytest.mark.parametrize("kind", sorted(m.TO_SUPERVISOR))
def test_a_length_over_the_maximum_is_refused_before_the_body(kind: int) -> None:
    spec = m.TO_SUPERVISOR[kind]
    header = HEADER.pack(kind, spec.descriptors, spec.max_bytes + 1)
    with pytest.raises(ProtocolViolation, match="at most"):
        Parser(m.TO_SUPERVISOR).feed(header)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="unknown kind"):
        Parser(m.TO_SUPERVISOR).feed(HEADER.pack(250, 0, 0))


def test_a_message_of_the_other_direction_is_refused() -> None:
    frame = encode(m.TO_RUNNER, m.Stop())
    with pytest.raises(ProtocolViolation, match="unknown kind"):
        Parser(m.TO_SUPERVISOR).feed(frame)


def test_an_unknown_field_is_refused() -> None:
    body = b"\x82\xa8protocol\x01\xa5extra\x01"
    with pytest.raises(ProtocolViolation, match="extra"):
        Parser(m.TO_SUPERVISOR).feed(struct.pack("!BBI", 64, 0, len(body)) + body)


def test_descriptors_that_a_message_does_not_carry_are_refused() -> None:
    with pytest.raises(ProtocolViolation, match="descriptors"):
        Parser(m.TO_SUPERVISOR).feed(HEADER.pack(64, 3, 10))


def test_a_message_that_is_too_large_cannot_be_sent() -> None:
    with pytest.raises(ProtocolViolation, match="at most"):
        encode(m.TO_SUPERVISOR, m.Free(attempt_id="x" * 200_000))
