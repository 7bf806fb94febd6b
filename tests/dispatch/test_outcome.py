"""A runner's data becomes JSON or is refused. It never breaks the supervisor."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.dispatch.outcome import NotJson, json_of


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(untrusted: bytes) -> None:
    try:
        text = json_of(msgspec.Raw(untrusted))
    except NotJson:
        return
    msgspec.json.decode(text)


@pytest.mark.parametrize(
    "untrusted",
    [b"", b"\xc1", b"\xd4\x05\x00", b"\x81\x91\x01\x02", b"\xa1\xff", b"\x91" * 5000 + b"\xc0", b"\xc0\xc0"],
    ids=["empty", "reserved", "extension", "list as a key", "not UTF-8", "deep", "trailing"],
)
def test_what_json_cannot_say_is_refused(untrusted: bytes) -> None:
    with pytest.raises(NotJson):
        json_of(msgspec.Raw(untrusted))


def test_plain_data_stays_itself() -> None:
    data = {"a": [1, 2.5, None, True, "é"], "b": {}}
    assert msgspec.json.decode(json_of(msgspec.Raw(msgspec.msgpack.encode(data)))) == data
