"""One alert on a real Prometheus: the rest of `make alerts` takes minutes."""

from pathlib import Path

from alerts.faults import CASES
from alerts.trial import try_fault
from alerts.world import alert_world


def test_an_alert_fires_once_and_clears_once_where_redis_goes_and_comes_back(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.alerts == ("RedisDown",))
    with alert_world(tmp_path) as world:
        (trial,) = try_fault(case, world)
    assert trial.good, trial
