"""A limited number of messages is added, and each one that is left out is counted."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.limited_queue import LimitedQueue


def number(left_out: int) -> int:
    """The message holds how many were left out before it."""
    return left_out


def test_messages_above_the_burst_are_left_out_and_the_next_one_has_their_number() -> None:
    queue = LimitedQueue[int](1.0, 3, 0.0)
    assert [queue.add(number, 0.0) for _ in range(10)] == [True] * 3 + [False] * 7
    assert queue.drain() == [0, 0, 0]
    assert queue.drain() == []
    assert queue.add(number, 1.5)
    assert queue.drain() == [7]


def test_messages_keep_their_order() -> None:
    queue, names = LimitedQueue[str](1.0, 3, 0.0), ["a", "b", "c"]
    for name in names:
        queue.add(f"{name}{{}}".format, 0.0)
    assert queue.drain() == ["a0", "b0", "c0"]


def test_no_more_than_a_burst_waits_however_long_nothing_is_sent() -> None:
    queue = LimitedQueue[int](1.0, 3, 0.0)
    for second in range(100):
        queue.add(number, float(second))
    assert len(queue.drain()) == 3


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=100))
def test_every_message_is_told_or_counted(steps: list[tuple[float, bool]]) -> None:
    queue, now, told = LimitedQueue[int](1.0, 3, 0.0), 0.0, 0
    for gap, drains in steps:
        now += gap
        queue.add(number, now)
        if drains:
            told += sum(1 + left_out for left_out in queue.drain())
    told += sum(1 + left_out for left_out in queue.drain())
    assert queue.add(number, now + 1000.0)
    assert told + queue.drain()[0] == len(steps)
