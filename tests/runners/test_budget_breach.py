"""What a result says of a job that went past its egress budget."""

from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.runners.budget_breach import budget_breach

USED = Traffic(requests=8, bytes_in=70, bytes_out=30)


def test_it_names_the_budget_its_limit_and_what_was_used() -> None:
    budget = EgressBudget(bytes=100, requests=7)
    over_bytes, over_requests = (budget_breach(name, budget, USED) for name in ("bytes", "requests"))
    assert over_bytes is not None
    assert over_requests is not None
    assert over_bytes.detail == {"budget": "bytes", "limit": 100, "used": 100}
    assert over_requests.detail == {"budget": "requests", "limit": 7, "used": 8}
    assert "100 bytes" in over_bytes.message
    assert "egress.budget_requests" in over_requests.message


def test_a_job_without_that_budget_is_within_it_whatever_the_gateway_says() -> None:
    assert budget_breach(None, EgressBudget(bytes=1), USED) is None
    assert budget_breach("bytes", EgressBudget(requests=1), USED) is None
    assert budget_breach("requests", NO_BUDGET, USED) is None
