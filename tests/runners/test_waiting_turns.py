"""Owners take turns, in any order of events."""

import pytest

from pageworker_supervisor.runners.waiting_turns import WaitingTurns


def waiting(text: str) -> WaitingTurns[str]:
    turns = WaitingTurns[str]()
    for item in text.split():
        turns.add(item[0], item)
    return turns


def test_owners_take_turns_and_keep_the_order_of_their_items() -> None:
    turns = waiting("a1 a2 a3 a4 b1 b2 c1")
    assert len(turns) == 7
    assert [turns.take() for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    with pytest.raises(LookupError):
        turns.take()


def test_an_item_that_waits_no_more_is_skipped() -> None:
    turns = waiting("a1 b1 b2")
    for item in ("a1", "b2", "b9", "c1"):
        turns.remove(item[0], item)
    assert len(turns) == 1
    assert turns.take() == "b1"
    turns.remove("b", "b1")
