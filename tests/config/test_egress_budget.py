"""The smallest budget counts, of bytes and of requests on their own."""

import pytest
from pw_modules.author import manifest

from pageworker_sandbox.signing import parse_manifest
from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget, EgressBudgets, smallest
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import EgressSettings, TenantSettings
from pageworker_supervisor.contract.traffic import Traffic


@pytest.mark.parametrize(
    ("settings", "tenant", "module", "least"),
    [
        ((None, None), (None, None), "", (None, None)),
        ((100, None), (None, None), "", (100, None)),
        ((100, None), (50, None), "", (50, None)),
        ((100, None), (500, None), "", (100, None)),
        ((100, 9), (None, 8), "budget_bytes = 30\nbudget_requests = 10", (30, 8)),
        ((None, None), (None, None), "budget_requests = 10", (None, 10)),
        ((5, 5), (6, 6), "budget_bytes = 7", (5, 5)),
    ],
)
def test_the_smallest_that_is_named(
    settings: tuple[int, int], tenant: tuple[int, int], module: str, least: tuple[int | None, int | None]
) -> None:
    found = smallest(
        EgressSettings(budget_bytes=settings[0], budget_requests=settings[1]),
        {"ac*": TenantSettings(egress_budget_bytes=tenant[0], egress_budget_requests=tenant[1])},
        "acme",
        parse_manifest(manifest(more=f"[egress]\n{module}\n")),
    )
    assert (found.bytes, found.requests) == least
    assert bool(found) is (least != (None, None))


def test_a_change_counts_for_the_next_job() -> None:
    egress = Live(EgressSettings())
    budgets, module = EgressBudgets(egress, Live({})), parse_manifest(manifest())
    assert budgets.of("acme", module) == NO_BUDGET
    egress.replace(EgressSettings(budget_bytes=7))
    assert budgets.of("acme", module) == EgressBudget(bytes=7)


def test_what_was_used_counts_in_both_directions_and_nothing_is_left_below_zero() -> None:
    used = Traffic(requests=3, bytes_in=20, bytes_out=10)
    assert EgressBudget(100, 10).left(used) == EgressBudget(70, 7)
    assert EgressBudget(25, 2).left(used) == EgressBudget(0, 0)
    assert EgressBudget(None, 4).left(used) == EgressBudget(None, 1)
    assert bool(EgressBudget(0, None)), "nothing is left, which is not the same as no budget"
