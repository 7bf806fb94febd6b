"""Counts and the budgets of one runner."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.meter import Meter


def over(meter: Meter) -> bool:
    return meter.over


def test_a_budget_counts_both_directions_and_is_cut_at_the_byte() -> None:
    meter = Meter(100)
    assert meter.send(60) == 60
    assert meter.receive(40) == 40
    assert not over(meter), "it has what it may have"
    assert meter.receive(1) == 0
    assert over(meter)
    assert meter.send(1) == 0
    meter.set_budget(200)
    assert meter.receive(150) == 100
    assert meter.receive(1) == 0
    usage = meter.usage(3)
    assert (usage.up_bytes, usage.down_bytes, usage.connections) == (60, 140, 3)


def test_what_does_not_fit_is_not_sent_in_part() -> None:
    meter = Meter(100)
    assert meter.send(101) == 0
    assert over(meter)
    assert meter.receive(1) == 0, "it is over its budget, whatever is left"
    assert meter.usage(0).up_bytes == 0


def test_no_budget_is_no_limit() -> None:
    meter = Meter()
    assert meter.send(10**12) == 10**12
    for _ in range(1000):
        meter.count_request()
    assert not over(meter)


def test_requests_have_a_budget_of_their_own() -> None:
    meter = Meter(budget_requests=2)
    meter.count_request()
    meter.count_request()
    assert not over(meter)
    assert meter.receive(10) == 10
    meter.count_request()
    assert over(meter)
    assert meter.receive(10) == 0, "the job has failed: what is open gets nothing more either"


def test_a_request_without_a_byte_left_is_over_the_budget() -> None:
    meter = Meter(10)
    meter.count_request()
    assert meter.receive(10) == 10
    assert not over(meter)
    meter.count_request()
    assert over(meter)


def test_another_turn_begins_the_budget_anew_and_the_same_turn_does_not() -> None:
    meter = Meter()
    meter.count_request()
    assert meter.receive(1000) == 1000
    meter.set_budget(100, 1, turn=1)
    meter.count_request()
    assert meter.receive(101) == 100
    assert over(meter)
    meter.set_budget(100, 1, turn=1)
    assert over(meter)
    assert meter.receive(1) == 0
    meter.set_budget(100, 1, turn=2)
    assert not over(meter)
    meter.count_request()
    assert meter.receive(100) == 100
    meter.count_request()
    assert over(meter)
    meter.set_budget(None, None, turn=3)
    assert meter.receive(10**9) == 10**9
    assert (meter.usage(0).requests, meter.usage(0).down_bytes) == (4, 1200 + 10**9), "the counts go on"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=30), st.integers(0, 100))
def test_past_the_budget_nothing_is_counted(moves: list[tuple[bool, int]], budget: int) -> None:
    meter, total, is_over = Meter(budget), 0, False
    for up, count in moves:
        fits = 0 if is_over else min(count, budget - total)
        is_over = is_over or count > fits
        permitted = meter.send(count) if up else meter.receive(count)
        assert permitted == (0 if up and fits < count else fits)
        assert meter.over is is_over
        total += permitted
    usage = meter.usage(0)
    assert usage.up_bytes + usage.down_bytes == total <= budget


def test_requests_and_refusals_are_counted_by_reason() -> None:
    meter = Meter()
    meter.count_request()
    meter.count_refusal("private_address")
    meter.count_refusal("private_address")
    meter.count_refusal("rate_limited")
    usage = meter.usage(0)
    assert (usage.requests, usage.refused) == (1, {"private_address": 2, "rate_limited": 1})
