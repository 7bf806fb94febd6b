"""Lines of the access log."""

from typing import Any

import pytest

from pageworker_sandbox.egress.messages import AccessRecord
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.access_line import MAX_JOBS, access_line, recorded_share
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic

TUNNEL = AccessRecord(
    runner_id="w1.1", method="CONNECT", host="shop.test", port=443, up_bytes=20, down_bytes=300, seconds=60.0
)


@pytest.mark.parametrize(("settings", "share"), [({}, 0.0), ({"access_log": "all"}, 1.0)])
def test_the_log_is_off_unless_it_is_set(settings: dict[str, Any], share: float) -> None:
    assert recorded_share(EgressSettings(**settings)) == share


def test_a_sample_has_its_own_setting() -> None:
    assert recorded_share(EgressSettings(access_log="sampled")) == 0.01
    assert recorded_share(EgressSettings(access_log="sampled", access_log_sample=0.5)) == 0.5


def test_a_line_names_the_job_that_ran() -> None:
    traffic = RunnerTraffic("acme")
    traffic.begin("a", "acme/17", "0af7")
    traffic.end("a")
    assert access_line(TUNNEL, traffic) == {
        "runner_id": "w1.1",
        "tenant_id": "acme",
        "job": "acme/17",
        "trace_id": "0af7",
        "method": "CONNECT",
        "host": "shop.test",
        "port": 443,
        "status": None,
        "bytes_in": 300,
        "bytes_out": 20,
        "seconds": 60.0,
        "reason": None,
        "suppressed": None,
    }


def test_a_line_lists_all_jobs_of_a_tunnel_up_to_a_limit() -> None:
    traffic = RunnerTraffic("acme")
    for number in range(2):
        traffic.begin(str(number), f"acme/{number}", f"trace{number}")
    line = access_line(TUNNEL, traffic)
    assert (line["job"], line["trace_id"]) == (["acme/0", "acme/1"], ["trace0", "trace1"])
    for number in range(2, 100):
        traffic.begin(str(number), f"acme/{number}", "t")
    jobs = access_line(TUNNEL, traffic)["job"]
    assert isinstance(jobs, list)
    assert len(jobs) == MAX_JOBS


def test_a_line_of_a_runner_without_a_job_or_of_none_is_complete_enough() -> None:
    assert access_line(TUNNEL, RunnerTraffic("acme"))["job"] is None
    assert access_line(TUNNEL, None)["tenant_id"] is None
