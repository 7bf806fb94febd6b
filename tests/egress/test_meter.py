"""Budgets and paces against a hand-made clock."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.refusal_log import RefusalLog
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.token_bucket import TokenBucket

TARGET = Target("shop.example", 80)


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.5, 50), st.floats(1, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(gaps: list[float], rate: float, burst: float) -> None:
    bucket, now, given_out = TokenBucket(rate, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        given_out += bucket.take(now)
        assert given_out <= burst + rate * now + 1e-6


def test_a_debt_is_paid_by_time() -> None:
    bucket = TokenBucket(0.5, 1.0, 0.0)
    bucket.spend(3.0, 0.0)
    assert bucket.debt(0.0) == 4.0
    assert bucket.debt(3.0) == 1.0
    assert bucket.debt(5.0) == 0.0


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


def test_notices_are_few_and_say_how_many_were_left_out() -> None:
    limits = EgressLimits(notices_burst=3, notices_per_second=1)
    refusals = RefusalLog("r1", limits, 0.0)
    assert [refusals.add("private_address", TARGET, 0.0) for _ in range(10)] == [True] * 3 + [False] * 7
    assert [notice.suppressed for notice in refusals.drain()] == [0, 0, 0]
    assert refusals.drain() == []
    assert refusals.add("private_address", TARGET, 1.5)
    assert [notice.suppressed for notice in refusals.drain()] == [7]


def test_limits_fit_into_few_descriptors() -> None:
    for descriptors in (1024, 4096, 20_000, 1_048_576):
        limits = EgressLimits().within(descriptors)
        assert 8 <= limits.connections_per_runner <= 128
        cost = 128 + limits.runners * (2 + limits.pool_connections + 2 * limits.connections_per_runner)
        assert cost <= descriptors or limits.connections_per_runner == 8
