"""Workers whose limits differ are told by name, with both values."""

from typing import Any

from pageworker_supervisor.config.budget_settings import TenantBudget
from pageworker_supervisor.config.limit_settings import DomainSettings, LimitSettings, SharedLimits
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.queue.limits_comparison import MOST_LINES, differences
from pageworker_supervisor.queue.limits_table import limits_table


def packed(**sections: Any) -> bytes:
    return limits_table(Settings(**sections)).packed(1)


def test_equal_limits_have_no_differences() -> None:
    one = packed(tenants={"acme": TenantSettings(concurrency=4)})
    assert differences({}) == differences({"w1": one}) == differences({"w1": one, "w2": one}) == []


def test_each_value_is_told_with_its_workers() -> None:
    few = packed(tenants={"acme": TenantSettings(weight=2, concurrency=4)})
    many = packed(tenants={"acme": TenantSettings(concurrency=8, rate_per_second=2.5, burst=3)})
    assert differences({"w2": few, "w1": many, "w3": few}) == [
        'tenants."acme": weight=1 concurrency=8 rate_per_second=2.5 burst=3 (w1); weight=2 concurrency=4 (w2, w3)'
    ]


def test_an_entry_that_one_has_alone_is_told_in_each_section() -> None:
    none = packed()
    some = packed(
        tenants={"*": TenantSettings(), "a*": TenantSettings(concurrency=1)},
        domains={"*": DomainSettings(), "*.test": DomainSettings(concurrency=2)},
        limits=LimitSettings(fleet=SharedLimits(concurrency=9), modules={"shop.*": SharedLimits(concurrency=3)}),
    )
    assert differences({"w1": none, "w2": some}) == [
        'domains."*.test": no entry (w1); weight=1 concurrency=2 (w2)',
        "limits.fleet: no limits (w1); weight=1 concurrency=9 (w2)",
        'limits.modules."shop.*": no entry (w1); weight=1 concurrency=3 (w2)',
        'tenants."a*": no entry (w1); weight=1 concurrency=1 (w2)',
    ]


def test_budgets_are_told_as_they_are_written() -> None:
    one = packed(tenants={"acme": TenantSettings(budget=TenantBudget(jobs_per_day=5)), "*": TenantSettings()})
    other = packed(tenants={"acme": TenantSettings(), "*": TenantSettings()})
    assert differences({"w1": one, "w2": other}) == ['tenants."acme".budget: jobs_per_day=5 (w1); no entry (w2)']


def test_there_are_few_lines_however_many_differ() -> None:
    many = packed(
        tenants={f"t{n}": TenantSettings(concurrency=1) for n in range(MOST_LINES + 5)} | {"*": TenantSettings()}
    )
    lines = differences({"w1": packed(), "w2": many})
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "and 5 more"
