"""Frames between the supervisor and a schema checker."""

import msgspec

from pageworker_supervisor.input_schema.messages import PayloadMistake, SchemaAnswer, SchemaCheck, frame, take_frames


def test_frames_are_taken_from_a_buffer_however_they_arrive() -> None:
    one, two = SchemaCheck("a" * 64, b"{}", b"{}"), SchemaCheck("b" * 64, b'{"x":1}')
    buffer, taken = bytearray(), list[bytes]()
    for byte in frame(one) + frame(two):
        buffer.append(byte)
        taken += take_frames(buffer)
    assert [msgspec.msgpack.decode(body, type=SchemaCheck) for body in taken] == [one, two]
    assert buffer == b""


def test_an_answer_survives_the_way() -> None:
    answer = SchemaAnswer((PayloadMistake("payload.url", "is required", "`ulr` was given instead"),))
    (body,) = take_frames(bytearray(frame(answer)))
    assert msgspec.msgpack.decode(body, type=SchemaAnswer) == answer


def test_a_mistake_in_words() -> None:
    assert str(PayloadMistake("payload.n", "is too large")) == "`payload.n`: is too large"
