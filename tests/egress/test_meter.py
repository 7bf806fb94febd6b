"""Counts and the byte budget of one runner."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.meter import Meter


def test_a_budget_counts_both_directions() -> None:
    meter = Meter(100)
    assert meter.send(60)
    assert meter.receive(60)
    assert meter.exhausted
    assert not meter.send(1)
    assert not meter.receive(1)
    meter.set_budget(200)
    assert meter.receive(1)
    usage = meter.usage(3)
    assert (usage.up_bytes, usage.down_bytes, usage.connections) == (60, 61, 3)


def test_no_budget_is_no_limit() -> None:
    assert Meter().send(10**12)
    assert Meter(0).exhausted


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=30), st.integers(0, 100))
def test_past_the_budget_nothing_is_counted(moves: list[tuple[bool, int]], budget: int) -> None:
    meter, total = Meter(budget), 0
    for up, count in moves:
        assert meter.exhausted is (total >= budget)
        permitted = meter.send(count) if up else meter.receive(count)
        assert permitted is (total < budget)
        total += count if permitted else 0
    usage = meter.usage(0)
    assert usage.up_bytes + usage.down_bytes == total


def test_requests_and_refusals_are_counted_by_reason() -> None:
    meter = Meter()
    meter.count_request()
    meter.count_refusal("private_address")
    meter.count_refusal("private_address")
    meter.count_refusal("rate_limited")
    usage = meter.usage(0)
    assert (usage.requests, usage.refused) == (1, {"private_address": 2, "rate_limited": 1})
