"""Which connection is evicted, decided without any connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.admin.connection_limits import (
    REQUEST_GRACE_SECONDS,
    ConnectionLimits,
    ConnectionTable,
    peer_of,
)


def table(max_connections: int) -> ConnectionTable[str]:
    return ConnectionTable(ConnectionLimits(max_connections))


def test_no_idle_connection_is_evicted_up_to_the_idle_limit() -> None:
    some = table(8 * 3)
    assert [some.add(name, None, 0.0) for name in "abc"] == [None, None, None]
    assert some.add("d", None, 100.0) == "a"


def test_the_connection_that_has_waited_longest_is_evicted() -> None:
    some = table(8 * 3)
    for now, name in enumerate("abc"):
        some.add(name, None, now)
    some.request_complete("a", 3.0)
    assert some.add("d", None, 10.0) == "b"
    some.answer_complete("a", 11.0)
    assert [some.add(name, None, 20.0) for name in "efg"] == ["c", "d", "a"], "an answer made it the youngest"


def test_a_connection_without_its_grace_is_evicted_only_at_the_hard_limit() -> None:
    some = table(8)
    assert [some.add(name, None, 0.0) for name in "abcdefgh"] == [None] * 8
    some.request_complete("a", 0.1)
    assert some.add("i", None, 0.2) == "b"
    assert some.add("j", None, REQUEST_GRACE_SECONDS) == "c"


def test_a_connection_that_is_answered_is_evicted_only_where_all_are() -> None:
    some = table(2)
    for name in "ab":
        some.add(name, None, 0.0)
        some.request_complete(name, 0.0)
    assert some.add("c", None, 50.0) == "a"
    assert some.add("d", None, 50.0) == "c"


def test_one_peer_beyond_loopback_does_not_take_all_connections() -> None:
    some = table(8)
    assert [some.add(name, "10.0.0.1", 0.0) for name in "abc"] == [None, None, "a"]
    assert some.add("d", "10.0.0.2", 0.0) is None
    assert len(some) == 3


STEPS = st.tuples(st.sampled_from(["add", "request_complete", "answer_complete", "remove"]), st.integers(0, 30))


@given(st.lists(STEPS, max_size=200))
def test_the_limit_holds_and_no_connection_is_lost(steps: list[tuple[str, int]]) -> None:
    some, present = ConnectionTable[int](ConnectionLimits(8)), set[int]()
    for now, (step, number) in enumerate(steps):
        match step:
            case "add" if number not in present:
                evicted = some.add(number, None if number % 2 else f"10.0.0.{number % 3}", now / 4)
                present.add(number)
                if evicted is not None:
                    assert evicted != number
                    present.remove(evicted)
            case "request_complete":
                some.request_complete(number, now / 4)
            case "answer_complete":
                some.answer_complete(number, now / 4)
            case "remove":
                some.remove(number)
                present.discard(number)
        assert len(some) == len(present) <= 8


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (None, None),
        ("127.0.0.1", None),
        ("127.8.8.8", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::2:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_which_connections_count_together(address: str | None, peer: str | None) -> None:
    assert peer_of(address) == peer
