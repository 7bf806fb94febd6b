"""A record, and the code over it."""

import pytest

from pageworker_supervisor.audit.record import TEXT_CHARS, Actor, AuditEntry, AuditKey, canonical, parse_line

ACTOR = Actor(kind="operator", name="ada", uid=1000, host="h1", program="workerctl dead purge")


def test_the_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": {"d": 1, "c": "x"}, "a": 2}) == b'{"a":2,"b":{"c":"x","d":1}}'


def test_texts_are_bounded() -> None:
    entry = AuditEntry(action="a", reason="r" * 10_000, detail={str(n): "d" * 10_000 for n in range(99)})
    record = AuditKey(b"k" * 32).line(1, "", 0, ACTOR, entry).record
    assert len(record["reason"]) == TEXT_CHARS
    assert len(canonical(record)) < 25 * TEXT_CHARS


def test_the_id_of_a_key_does_not_tell_the_key() -> None:
    assert AuditKey(b"k" * 32).id != AuditKey(b"l" * 32).id
    assert "6b6b" not in AuditKey(b"k" * 32).id
    with pytest.raises(ValueError, match="32 bytes"):
        AuditKey(b"k")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no json",
        b"[]",
        b'{"record": {}}',
        b'{"record":{},"mac":"\xff"}',
        b'{"record":{"seq":' + b"9" * 5000 + b'},"mac":""}',
        b'{"mac": "", "record": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}",
        b'{"record":{"a":' + b"[" * 100_000,
    ],
    ids=["empty", "no JSON", "a list", "no code", "no UTF-8", "a large integer", "deep", "deep and cut"],
)
def test_what_anyone_may_write_to_redis_is_no_record(text: bytes) -> None:
    assert parse_line(text) is None
