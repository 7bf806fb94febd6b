"""Which refusals are reported: few, with the number of those left out."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.refusal_log import RefusalLog
from pageworker_sandbox.egress.target import Target

TARGET = Target("shop.example", 80)


def test_notices_are_few_and_say_how_many_were_left_out() -> None:
    limits = EgressLimits(notices_burst=3, notices_per_second=1)
    refusals = RefusalLog("r1", limits, 0.0)
    assert [refusals.add("private_address", TARGET, 0.0) for _ in range(10)] == [True] * 3 + [False] * 7
    assert [notice.suppressed for notice in refusals.drain()] == [0, 0, 0]
    assert refusals.drain() == []
    assert refusals.add("private_address", TARGET, 1.5)
    assert [notice.suppressed for notice in refusals.drain()] == [7]


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=100))
def test_every_refusal_is_told_or_counted(steps: list[tuple[float, bool]]) -> None:
    refusals, now, told = RefusalLog("r1", EgressLimits(notices_burst=3, notices_per_second=1), 0.0), 0.0, 0
    for gap, drain in steps:
        now += gap
        refusals.add("host_not_allowed", TARGET, now)
        if drain:
            told += sum(1 + notice.suppressed for notice in refusals.drain())
    now += 1000
    refusals.drain()
    assert told <= len(steps)


def test_no_more_than_a_burst_waits_however_long_nothing_is_sent() -> None:
    refusals = RefusalLog("r1", EgressLimits(notices_burst=3, notices_per_second=1), 0.0)
    for second in range(100):
        refusals.add("host_not_allowed", TARGET, float(second))
    assert len(refusals.drain()) == 3
