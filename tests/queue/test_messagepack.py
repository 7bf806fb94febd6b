"""Requests and replies: whatever bytes a job has, they arrive as they are."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from pageworker_supervisor.queue.messagepack import EMPTY_REQUEST, opaque, packed, unpacked


@given(st.text(), st.integers(-(2**53), 2**53))
def test_a_request_is_a_map_with_names(text: str, number: int) -> None:
    assert msgpack.decode(packed(text=text, number=number)) == {"text": text, "number": number}


@given(st.binary())
def test_opaque_bytes_are_sent_as_a_string_of_their_length(data: bytes) -> None:
    sent = packed(body=opaque(data))
    header = b"\xdb" + len(data).to_bytes(4, "big")
    assert sent.endswith(header + data)


def test_the_head_of_a_reply_is_its_map() -> None:
    assert unpacked([packed(leases=[{"ref": "acme/j1"}]), b"\xff body"]) == {"leases": [{"ref": "acme/j1"}]}
    assert unpacked([EMPTY_REQUEST]) == {}
