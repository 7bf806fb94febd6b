"""A tenant that has used up its budget of a day or month is paused until that ends, on a real Redis."""

import asyncio
import json
from typing import Any

from pw_queue import DONE, QueueHarness, ticket

from pageworker_supervisor.config.budget_settings import TenantBudget
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.limits_table import LimitsTable, budget_text
from pageworker_supervisor.queue.usage import JobSpending

DAY_MS = 86_400_000
SPENT = JobSpending(1.5, Traffic(3, 1000, 200))


def table(**budget: int) -> LimitsTable:
    return LimitsTable(budgets={"acme": budget_text(TenantBudget(**budget))})


async def at_day(harness: QueueHarness, month: int, day: int) -> None:
    """Stop the clock at noon (UTC) of this day of 2027."""
    days = (0, 31, 59, 90, 120)[month - 1] + day - 1
    noon = (1_798_761_600 + days * 86_400 + 43_200) * 1000
    await harness.stop_clock()
    await harness.later(0)
    await harness.later(noon - int((await harness.client.get("pw:{0}:clock")).lstrip(b"=")))


async def push(harness: QueueHarness, first: int, count: int, tenant: str = "acme") -> None:
    await harness.producer.enqueue([ticket(f"{tenant}{n}", tenant) for n in range(first, first + count)])


async def run_all(harness: QueueHarness) -> list[str]:
    """End all jobs that can be claimed, one after the other."""
    ended = []
    while leases := await harness.take():
        for lease in leases:
            assert await harness.consumer.finish(lease, **DONE, spent=SPENT)
            ended.append(lease.ref.job_id)
    return ended


async def events(messages: Any) -> list[tuple[str, dict[str, Any]]]:
    found = []
    async with asyncio.timeout(5):
        while (message := await messages.get_message(timeout=0.3)) is not None:
            if message["type"] == "message":
                event = json.loads(message["data"])
                found.append((event["event"], event["detail"]))
    return found


async def test_a_used_up_budget_pauses_its_tenant_until_the_day_ends_and_tells_it(harness: QueueHarness) -> None:
    await at_day(harness, 1, 31)
    await harness.queue.limits.set(table(jobs_per_day=5))
    async with harness.client.pubsub() as messages:
        await messages.subscribe("pw:events:acme")
        await push(harness, 0, 4)
        await push(harness, 0, 1, "rival")
        assert len(await run_all(harness)) == 5
        (told,) = await events(messages)
        assert told == (
            "budget",
            {"budget": "jobs_per_day", "limit": 5, "used": 4, "percent": 80, "until": "2027-02-01T00:00:00.000Z"},
        )
        await push(harness, 4, 2)
        running = [await harness.one(), await harness.one()]
        await push(harness, 6, 2)
        await push(harness, 1, 1, "rival")
        await harness.finish([])
        assert await harness.consumer.finish(running[0], **DONE, spent=SPENT)
        assert await run_all(harness) == ["rival1"], "those of the tenant wait"
        assert await harness.inspection.check_consistency() == []
        assert await harness.consumer.finish(running[1], **DONE, spent=SPENT), "what runs goes on"
        names = [(name, detail.get("percent")) for name, detail in await events(messages)]
        assert names == [("budget", 100), ("paused", None)]
        (view,) = await harness.queue.pauses.all()
        assert (view.kind, view.name, view.reason) == ("budget", "acme", "budget jobs_per_day of 5 is used up")
        (waits,) = {row.why for row in (await harness.inspection.jobs()).jobs}
        assert waits == "paused: tenant acme: budget jobs_per_day of 5 is used up"
        shown = await harness.queue.tenants.show("acme")
        assert [(each.budget, each.limit, each.used) for each in shown.budgets] == [("jobs_per_day", 5, 6)]
        assert shown.pause is not None
        assert (await harness.inspection.stats())[0].paused == {"tenant": 0, "module": 0, "domain": 0, "budget": 1}
        await harness.later(DAY_MS // 2 - 1)
        assert await harness.take() == []
        await harness.later(1)
        assert sorted(await run_all(harness)) == ["acme6", "acme7"]
        assert [name for name, _ in await events(messages)] == ["unpaused"]
    assert await harness.inspection.check_consistency() == []
    assert await harness.queue.pauses.all() == []


async def test_each_part_of_a_budget_counts_and_a_month_counts_its_days(harness: QueueHarness) -> None:
    """Each tenant has one part. What was used before the budget was set counts, too."""
    days = {"page_seconds_per_day": 3, "bytes_per_day": 2400}
    months = {"page_seconds_per_month": 6, "jobs_per_month": 4, "bytes_per_month": 4800}
    await at_day(harness, 2, 27)
    for part in (*days, *months):
        await push(harness, 0, 1, part)
    assert len(await run_all(harness)) == 5
    budgets = {part: budget_text(TenantBudget(**{part: limit})) for part, limit in (days | months).items()}
    await harness.queue.limits.set(LimitsTable(budgets=budgets))
    for part in days:
        await push(harness, 1, 1, part)
    assert len(await run_all(harness)) == 2
    for part in days:
        await push(harness, 2, 1, part)
    assert await run_all(harness) == []
    assert [view.until_ms for view in await harness.queue.pauses.all()] == [(1_798_761_600 + 58 * 86_400) * 1000] * 2
    await harness.later(DAY_MS)
    assert len(await run_all(harness)) == 2
    for part in months:
        await push(harness, 1, 2, part)
    assert len(await run_all(harness)) == 6
    for part in months:
        await push(harness, 3, 1, part)
    assert len(await run_all(harness)) == 3
    for part in months:
        await push(harness, 4, 1, part)
    assert await run_all(harness) == []
    assert [view.until_ms for view in await harness.queue.pauses.all()] == [(1_798_761_600 + 59 * 86_400) * 1000] * 3
    await harness.later(DAY_MS)
    assert len(await run_all(harness)) == 3
    assert await harness.inspection.check_consistency() == []


async def test_a_changed_budget_counts_at_once(harness: QueueHarness) -> None:
    """Raised, removed, and lowered below what is used; an operator's pause stays."""
    await at_day(harness, 3, 1)
    await harness.queue.limits.set(table(jobs_per_day=1))
    await push(harness, 0, 3)
    leases = await harness.take()
    for lease in leases:
        await harness.consumer.finish(lease, **DONE, spent=SPENT)
    await push(harness, 3, 8)
    assert await run_all(harness) == []
    await harness.queue.limits.set(table(jobs_per_day=len(leases) + 1))
    lease = await harness.one()
    await harness.queue.limits.set(table(jobs_per_day=len(leases)))
    assert await harness.take() == [], "lowered"
    await harness.consumer.finish(lease, **DONE, spent=SPENT)
    await harness.queue.pauses.pause("tenant", "acme", "why", "ann")
    await harness.queue.limits.set(LimitsTable())
    assert [view.kind for view in await harness.queue.pauses.all()] == ["tenant"]
    assert await harness.take() == []
    await harness.queue.pauses.unpause("tenant", "acme", "ann")
    assert len(await run_all(harness)) == 10 - len(leases)
    assert await harness.inspection.check_consistency() == []


async def test_a_tenant_without_a_budget_costs_nothing(harness: QueueHarness) -> None:
    """No key is written for it, also while others have budgets, and the table without budgets is as it was."""
    await harness.queue.limits.set(table(jobs_per_day=1))
    await push(harness, 0, 2, "rival")
    await run_all(harness)
    assert await harness.client.keys("pw:{0}:budget:*") == []
    assert LimitsTable(budgets={"acme": ""}).packed(1) == LimitsTable().packed(1)
    assert TenantSettings().budget == TenantBudget()
