"""Decisions that wait: bounded, in order, and lost ones are counted."""

import asyncio

import pytest

from pageworker_supervisor.audit.decisions import BURST, SECONDS_PER_RECORD, WAITING_DECISIONS, Decisions


class DecisionClock:
    """Monotonic seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def drop_all(decisions: Decisions) -> list[str]:
    found = []
    while True:
        try:
            async with asyncio.timeout(0):
                found.append((await decisions.oldest()).entry.target)
        except TimeoutError:
            return found
        decisions.recorded()


async def test_an_action_has_a_budget_that_another_action_does_not_use() -> None:
    clock, counted = DecisionClock(), list[str]()
    decisions = Decisions(clock)
    decisions.on_lost(counted.append)
    for number in range(BURST + 3):
        decisions.record("breaker.open", str(number))
    decisions.record("host.close", "w1")
    assert (decisions.lost, counted) == ({"too_many": 3}, ["too_many"] * 3)
    assert await drop_all(decisions) == [*map(str, range(BURST)), "w1"]
    clock.now += 2 * SECONDS_PER_RECORD
    for number in range(3):
        decisions.record("breaker.open", f"later {number}")
    assert await drop_all(decisions) == ["later 0", "later 1"]


async def test_a_budget_never_grows_above_a_burst() -> None:
    clock = DecisionClock()
    decisions = Decisions(clock)
    decisions.record("host.close", "w1")
    clock.now += 1000 * SECONDS_PER_RECORD
    for _ in range(BURST + 1):
        decisions.record("host.close", "w1")
    assert decisions.lost == {"too_many": 1}


async def test_what_a_user_asks_for_has_no_budget_but_the_buffer_is_bounded() -> None:
    decisions = Decisions(DecisionClock())
    for number in range(WAITING_DECISIONS + 2):
        decisions.record("drain", str(number), uid=0)
    assert decisions.lost == {"full": 2}
    assert len(await drop_all(decisions)) == WAITING_DECISIONS


async def test_the_next_decision_says_how_many_are_lost_before_it() -> None:
    decisions = Decisions(DecisionClock())
    decisions.record("a", "1")
    decisions.record("a", "2")
    decisions.refuse()
    decisions.refuse()
    decisions.record("a", "3")
    assert (await decisions.oldest()).lost_before == 2
    decisions.refuse()
    decisions.record("a", "4")
    decisions.record("a", "5")
    assert (await decisions.oldest()).lost_before == 3, "the number goes on with the record that was refused"
    decisions.recorded()
    assert (await decisions.oldest()).lost_before == 0


async def test_waiting_ends_with_a_decision_and_with_the_last_record() -> None:
    decisions = Decisions(DecisionClock())
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(decisions.oldest())
        await asyncio.sleep(0)
        decisions.record("a", "1", reason="r", detail={"n": 1}, uid=7)
        decision = await first
        assert (decision.entry.reason, decision.entry.detail, decision.uid) == ("r", {"n": 1}, 7)
        done = tasks.create_task(decisions.all_recorded())
        await asyncio.sleep(0)
        assert not done.done()
        decisions.recorded()


async def test_the_end_of_the_worker_loses_what_is_left() -> None:
    decisions = Decisions(DecisionClock())
    decisions.record("a", "1")
    decisions.record("a", "2")
    decisions.stop()
    assert decisions.lost == {"stopped": 2}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await decisions.oldest()
