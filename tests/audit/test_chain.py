"""Whatever is done to a chain by those who have no key is found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.audit.chain import TRIM, Checkpoint, verify_chain
from pageworker_supervisor.audit.record import Actor, AuditEntry, AuditKey, AuditLine, encode_line, parse_line

KEY, OTHER = AuditKey(b"k" * 32), AuditKey(b"o" * 32)
KEYS = {KEY.id: KEY}
ACTOR = Actor(kind="operator", name="ada", uid=1000, host="h1", program="workerctl dead purge")


def chain(count: int, key: AuditKey = KEY) -> list[AuditLine]:
    lines: list[AuditLine] = []
    previous = ""
    for number in range(1, count + 1):
        line = key.line(number, previous, 1000 + number, ACTOR, AuditEntry(action="dead.purge", target="a/1"))
        lines.append(line)
        previous = line.mac
    return lines


def changed(line: AuditLine, **fields: Any) -> AuditLine:
    return AuditLine({**line.record, **fields}, line.mac)


def faults(lines: list[Any], checkpoint: Checkpoint | None = None) -> set[str]:
    points = [checkpoint] if checkpoint is not None else []
    return {finding.fault for finding in verify_chain(lines, KEYS, points).findings}


def trimmed(lines: list[AuditLine], through: int) -> list[AuditLine]:
    detail: dict[str, str | int] = {"through": through, "mac": lines[through - 1].mac}
    last = lines[-1]
    trim = KEY.line(last.number + 1, last.mac, 5000, ACTOR, AuditEntry(action=TRIM, detail=detail))
    return [*lines[through:], trim]


def test_a_chain_is_whole() -> None:
    lines = chain(5)
    report = verify_chain(lines, KEYS, [Checkpoint(4, lines[3].mac)])
    assert report.whole
    assert (report.first, report.last, report.verified, report.checkpoint) == (1, 5, 5, Checkpoint(5, lines[4].mac))
    assert verify_chain([], KEYS).whole


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda c: [*c[:2], changed(c[2], target="b/2"), *c[3:]], "changed"),
        (lambda c: [*c[:2], changed(c[2], uid=0), *c[3:]], "changed"),
        (lambda c: [*c[:2], AuditLine(c[2].record, "0" * 64), *c[3:]], "changed"),
        (lambda c: [*c[:2], *c[3:]], "missing"),
        (lambda c: [c[0], c[2], c[1], *c[3:]], "out_of_order"),
        (lambda c: [*c, c[-1]], "out_of_order"),
        (lambda c: [c[0], chain(1)[0], *c[1:]], "out_of_order"),
        (lambda c: c[1:], "start_cut"),
        (lambda c: c[:-1], "end_cut"),
        (lambda c: [], "end_cut"),
        (lambda c: [None, *c], "unreadable"),
    ],
)
def test_each_damage_is_found(damage: Any, fault: str) -> None:
    lines = chain(5)
    assert fault in faults(damage(lines), Checkpoint(5, lines[4].mac))


def test_an_older_copy_that_went_another_way_is_found() -> None:
    """With the key, e.g. after a failover: the record that this host has seen is another one."""
    lines = chain(5)
    other = KEY.line(5, lines[3].mac, 9999, ACTOR, AuditEntry(action="other"))
    assert faults([*lines[:4], other]) == set()
    assert faults([*lines[:4], other], Checkpoint(5, lines[4].mac)) == {"replaced"}


def test_a_chain_of_another_key_is_not_good() -> None:
    report = verify_chain(chain(3, OTHER), KEYS)
    assert not report.whole
    assert report.unverifiable == {OTHER.id: 3}
    record = chain(1)[0].record
    assert faults([AuditLine(record, OTHER.mac(record))]) == {"changed"}, "a record cannot name another's key"


def test_what_was_trimmed_is_vouched_for_by_a_record() -> None:
    lines = chain(6)
    assert verify_chain(trimmed(lines, 3), KEYS).whole
    assert faults(trimmed(lines, 3)[1:]) == {"start_cut"}, "one more than the record says"
    assert faults(trimmed(lines, 3)[:-1]) == {"start_cut"}


def test_a_trim_record_without_the_key_vouches_for_nothing() -> None:
    lines = chain(6)
    detail: dict[str, str | int] = {"through": 3, "mac": lines[2].mac}
    false = OTHER.line(7, lines[5].mac, 1, ACTOR, AuditEntry(action=TRIM, detail=detail))
    assert "start_cut" in faults([*lines[3:], false])


@given(
    st.integers(1, 8).flatmap(
        lambda count: st.tuples(st.just(count), st.permutations(range(count)), st.integers(0, count))
    )
)
def test_only_the_whole_chain_in_its_order_is_whole(drawn: tuple[int, list[int], int]) -> None:
    """Any selection and order of the records of a chain, against a checkpoint of its last one."""
    count, order, kept = drawn
    lines = chain(count)
    chosen = [lines[n] for n in order[:kept]]
    report = verify_chain(chosen, KEYS, [Checkpoint(count, lines[-1].mac)])
    assert report.whole == (chosen == lines)


@given(
    st.integers(0, 3),
    st.sampled_from(["seq", "previous", "at_ms", "key", "name", "uid", "action", "outcome", "detail", "new"]),
    st.one_of(st.text(max_size=5), st.integers(-5, 5), st.none(), st.lists(st.integers(), max_size=2)),
)
def test_any_change_of_a_field_is_found(number: int, field: str, value: Any) -> None:
    lines = chain(4)
    other = changed(lines[number], **{field: value})
    damaged = [*lines[:number], other, *lines[number + 1 :]]
    assert verify_chain(damaged, KEYS).whole == (other.record == lines[number].record)


@given(st.binary(max_size=100))
def test_any_text_is_read_or_refused(untrusted_text: bytes) -> None:
    line = parse_line(untrusted_text)
    assert verify_chain([line], KEYS).verified == 0


def test_a_line_is_the_same_after_a_round_trip() -> None:
    line = KEY.line(1, "", 7, ACTOR, AuditEntry(action="a", reason="ä\n\x00\U0001f600", detail={"n": 2**53}))
    assert parse_line(encode_line(line)) == line
    assert verify_chain([parse_line(encode_line(line))], KEYS).whole
