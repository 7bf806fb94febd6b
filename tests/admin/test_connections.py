"""Who has to go for whom, without any connection."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pageworker_supervisor.admin.connection_limits import PATIENCE_SECONDS, ConnectionLimits, ConnectionTable, peer_of


def table(most: int) -> ConnectionTable[str]:
    return ConnectionTable(ConnectionLimits(most))


def test_idle_ones_are_left_alone_up_to_the_usual_number() -> None:
    some = table(8 * 3)
    assert [some.add(name, None, 0.0) for name in "abc"] == [None, None, None]
    assert some.add("d", None, 100.0) == "a"


def test_the_one_that_has_waited_longest_goes() -> None:
    some = table(8 * 3)
    for now, name in enumerate("abc"):
        some.add(name, None, now)
    some.answers("a", 3.0)
    assert some.add("d", None, 10.0) == "b"
    some.waits("a", 11.0)
    assert [some.add(name, None, 20.0) for name in "efg"] == ["c", "d", "a"], "an answer made it the youngest"


def test_one_that_has_not_had_its_time_goes_only_at_the_hard_limit() -> None:
    some = table(8)
    assert [some.add(name, None, 0.0) for name in "abcdefgh"] == [None] * 8
    some.answers("a", 0.1)
    assert some.add("i", None, 0.2) == "b"
    assert some.add("j", None, PATIENCE_SECONDS) == "c"


def test_one_that_is_answered_goes_only_where_all_are() -> None:
    some = table(2)
    for name in "ab":
        some.add(name, None, 0.0)
        some.answers(name, 0.0)
    assert some.add("c", None, 50.0) == "a"
    assert some.add("d", None, 50.0) == "c"


def test_one_address_beyond_loopback_does_not_take_all() -> None:
    some = table(8)
    assert [some.add(name, "10.0.0.1", 0.0) for name in "abc"] == [None, None, "a"]
    assert some.add("d", "10.0.0.2", 0.0) is None
    assert len(some) == 3


STEPS = st.tuples(st.sampled_from(["add", "answers", "waits", "remove"]), st.integers(0, 30))


@settings(deadline=None)
@given(st.lists(STEPS, max_size=200))
def test_the_bound_holds_and_nobody_is_lost(steps: list[tuple[str, int]]) -> None:
    some, present = ConnectionTable[int](ConnectionLimits(8)), set[int]()
    for now, (step, number) in enumerate(steps):
        match step:
            case "add" if number not in present:
                gone = some.add(number, None if number % 2 else f"10.0.0.{number % 3}", now / 4)
                present.add(number)
                if gone is not None:
                    assert gone != number
                    present.remove(gone)
            case "answers":
                some.answers(number, now / 4)
            case "waits":
                some.waits(number, now / 4)
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
def test_whose_connections_are_counted_together(address: str | None, peer: str | None) -> None:
    assert peer_of(address) == peer
