"""What `/wanted` answers for one reading."""

from scaling.test_fleet_state import demand, state

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.decider import decide
from pageworker_supervisor.scaling.fleet_api import answer_of
from pageworker_supervisor.scaling.fleet_watch import FleetLook


def test_the_answer_holds_the_number_and_what_it_follows_from() -> None:
    found = state(demand(runnable=100, queued=100, jobs=100, throttled={"tenant_rate": 1}))
    decision, _ = decide(found.load, [], ScalingSettings(max_workers=3))
    answer = answer_of(FleetLook(state=found, decision=decision))
    assert answer.wanted_workers == decision.wanted_workers == 3
    assert (answer.waiting, answer.jobs["queued"]) == (100, 100)
    assert answer.throttled_tenants["tenant_rate"] == 1
    assert answer.why == decision.why
    assert answer.pages_per_worker == found.load.pages_per_worker
