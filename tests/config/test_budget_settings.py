"""The parts of a tenant's budget."""

import msgspec
import pytest

from pageworker_supervisor.config.budget_settings import TenantBudget
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.limits_table import limits_table


def test_the_parts_that_are_set_are_in_the_table_of_limits() -> None:
    budget = {"page_seconds_per_day": 3600, "jobs_per_month": 1000}
    settings = msgspec.convert({"tenants": {"Acme": {"budget": budget}, "*": {}}}, Settings)
    assert list(TenantBudget(jobs_per_month=1000).parts()) == [("jobs_per_month", 1000)]
    assert limits_table(settings).budgets == {"acme": "page_seconds_per_day=3600 jobs_per_month=1000", "*": ""}


def test_a_part_that_is_not_counted_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="cpu_seconds_per_day"):
        msgspec.convert({"cpu_seconds_per_day": 5}, TenantBudget)
