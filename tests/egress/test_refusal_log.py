"""Which refusals are reported: few, with the number of those left out."""

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import RefusalNotice
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
    assert refusals.drain() == [
        RefusalNotice(runner_id="r1", reason="private_address", host="shop.example", port=80, suppressed=7)
    ]


def test_the_first_refusal_for_each_budget_is_never_left_out() -> None:
    """The supervisor ends the attempt for it, whatever the runner was refused before."""
    refusals = RefusalLog("r1", EgressLimits(notices_burst=2, notices_per_second=1), 0.0)
    assert [refusals.add("host_not_allowed", TARGET, 0.0) for _ in range(3)] == [True, True, False]
    for suppressed in (1, 1):
        assert refusals.add("budget_exhausted", TARGET, 0.0)
        assert not refusals.add("budget_exhausted", TARGET, 0.0)
        notice = refusals.drain()[-1]
        assert (notice.reason, notice.suppressed) == ("budget_exhausted", suppressed)
        refusals.new_policy()
