"""What a further worker could start, on a real queue: jobs that a limit or a held profile keeps are none of that."""

from typing import Any

import pytest
from pw_queue import JobEnd, QueueHarness, everything, places, ref, ticket

from pageworker_supervisor.contract.isolation import Isolation
from pageworker_supervisor.queue.demand import ShardDemand, demand_from
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits

PAGES = 4
CALLED = JobEnd(status="succeeded", result=b"{}", callback="http://n8n.test/")


async def demand_of(harness: QueueHarness, position: str = "", count: int = 1000, horizon_ms: int = 0) -> ShardDemand:
    return await harness.inspection.demand(0, position, count, pages=PAGES, horizon_ms=horizon_ms)


async def push(harness: QueueHarness, count: int, tenant: str = "acme", **fields: Any) -> None:
    tickets = [
        ticket(f"{fields.get('domain', '')}{fields.get('profile_id', '')}{n}", tenant, **fields) for n in range(count)
    ]
    assert set(await harness.producer.enqueue(tickets)) == {"queued"}


async def test_an_empty_shard_has_no_demand(harness: QueueHarness) -> None:
    demand = await demand_of(harness)
    assert (demand.jobs, demand.runnable, demand.claims, demand.backlogs, demand.position) == (0, 0, 0, 0, "")
    assert (demand.oldest_ms, demand.oldest_claim_ms, demand.heartbeat_ms, demand.fleet_spare) == (None,) * 4
    assert demand.throttled == {}
    assert await harness.client.keys("pw:{0}*") == [], "reading writes nothing"


async def test_waiting_jobs_and_how_long_they_take(harness: QueueHarness) -> None:
    await push(harness, 6)
    await harness.later(7000)
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable, demand.slots, demand.known) == (6, 6, 2, 0)
    assert demand.oldest_ms == demand.oldest_runnable_ms
    assert 7000 <= (demand.oldest_ms or 0) < 20_000
    (lease,) = await harness.take(capacity=everything(1))
    await harness.later(3000)
    await harness.finish([lease])
    demand = await demand_of(harness)
    assert (demand.runnable, demand.known, demand.claims) == (5, 5, 1)
    assert 15_000 <= demand.known_ms < 30_000


async def test_each_context_needs_runners_of_its_own(harness: QueueHarness) -> None:
    await push(harness, 5, domain="a.test")
    await push(harness, 2, domain="b.test")
    await push(harness, 1, "other")
    assert (await demand_of(harness)).slots == 3, "seven jobs of one context, one of another"
    await push(harness, 3, "third", one_page=True)
    assert (await demand_of(harness)).slots == 6
    await push(harness, 2, "fourth", isolation=Isolation(one_job=True))
    assert (await demand_of(harness)).slots == 8


async def test_jobs_over_their_tenants_limit_ask_for_nothing(harness: QueueHarness) -> None:
    await push(harness, 5, concurrency=2)
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable, demand.throttled) == (5, 2, {})
    await harness.take(capacity=everything(10))
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable, demand.throttled) == (3, 0, {"tenant_concurrency": 1})
    assert demand.oldest_ms is not None
    assert demand.oldest_runnable_ms is None


async def test_the_backlogs_of_a_tenant_share_its_limit(harness: QueueHarness) -> None:
    for domain in ("a.test", "b.test"):
        await push(harness, 5, domain=domain, concurrency=3)
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable) == (10, 3)


async def test_a_rate_permits_what_its_tokens_permit_by_then(harness: QueueHarness) -> None:
    await push(harness, 50, rate=2.0, burst=3)
    assert (await demand_of(harness)).runnable == 3
    assert len(await harness.take(capacity=everything(10))) == 3
    demand = await demand_of(harness)
    assert (demand.runnable, demand.throttled) == (0, {"tenant_rate": 1})
    assert (await demand_of(harness, horizon_ms=1000)).runnable == 2
    assert (await demand_of(harness, horizon_ms=60_000)).runnable == 3, "never more than the burst"
    await harness.later(1000)
    assert (await demand_of(harness)).runnable == 2, "though no worker has looked since"


async def test_jobs_of_a_busy_domain_or_module_ask_for_nothing(harness: QueueHarness) -> None:
    await harness.queue.limits.set(
        LimitsTable(domains={"slow.test": QuotaLimits(concurrency=1)}, modules={"big": QuotaLimits(concurrency=2)})
    )
    await push(harness, 4, domain="slow.test")
    await push(harness, 3, "other", module=("big", None))
    assert (await demand_of(harness)).runnable == 3
    await harness.take(capacity=everything(10))
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable) == (4, 0)
    assert demand.throttled == {"domain_concurrency": 1, "module_concurrency": 1}


async def test_the_fleets_limits_are_told(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=3)))
    await push(harness, 5)
    demand = await demand_of(harness)
    assert (demand.runnable, demand.fleet_spare, demand.fleet_reason) == (5, 3, None)
    await harness.take(capacity=everything(10))
    demand = await demand_of(harness)
    assert (demand.fleet_spare, demand.fleet_reason) == (0, "fleet_concurrency")


async def test_a_profile_has_one_runner_and_one_worker(harness: QueueHarness) -> None:
    await push(harness, 9, profile_id="p")
    assert (await demand_of(harness)).runnable == PAGES
    (lease,) = await harness.take(capacity=everything(1))
    demand = await demand_of(harness)
    assert (demand.queued, demand.runnable) == (8, 0), "they wait for the worker that has the profile open"
    await harness.later(120_000)
    demand = await demand_of(harness)
    assert demand.runnable == PAGES, "that worker is lost"
    assert demand.other > 0
    assert demand.leases_expired == 1
    assert lease.profile_id == "p"


async def test_what_else_needs_a_worker_is_told(harness: QueueHarness) -> None:
    await push(harness, 1, delay_ms=60_000)
    assert (await demand_of(harness)).due == 0
    assert (await demand_of(harness, horizon_ms=61_000)).due == 1
    await harness.later(65_000)
    demand = await demand_of(harness)
    assert (demand.due, demand.delayed) == (1, 1)
    assert 5000 <= (demand.oldest_due_ms or 0) < 20_000
    assert await harness.inspection.cancel(ref("0")) == "cancelled"
    assert (await demand_of(harness)).ending == 1


async def test_an_expired_job_needs_a_worker(harness: QueueHarness) -> None:
    now = int((await harness.client.time())[0]) * 1000
    await push(harness, 1, expires_at_ms=now + 30_000, concurrency=1)
    assert (await demand_of(harness)).other == 0
    await harness.later(31_000)
    assert (await demand_of(harness)).other == 1


async def test_callbacks_and_workers_are_told(harness: QueueHarness) -> None:
    await push(harness, 1)
    lease = await harness.one()
    await harness.consumer.finish(lease, **CALLED)
    await harness.consumer.register_worker("w1")
    await harness.later(4000)
    demand = await demand_of(harness)
    assert (demand.outbox, demand.outbox_due, demand.workers) == (1, 1, 1)
    assert 4000 <= (demand.oldest_outbox_ms or 0) < 20_000
    assert 4000 <= (demand.heartbeat_ms or 0) < 20_000


async def test_many_backlogs_are_looked_at_in_parts(harness: QueueHarness) -> None:
    for number in range(7):
        await push(harness, 2, f"t{number}")
    position, seen = "", 0
    for part in range(4):
        demand = await demand_of(harness, position, count=2)
        assert (demand.backlogs, demand.looked) == (7, 2 if part < 3 else 1)
        seen += demand.runnable
        position = demand.position
    assert position == ""
    assert seen == 14


async def test_entries_of_cancelled_jobs_have_no_age(harness: QueueHarness) -> None:
    await push(harness, 1)
    await harness.later(9000)
    await harness.producer.enqueue([ticket("later")])
    assert ((await demand_of(harness)).oldest_ms or 0) >= 9000
    await harness.inspection.cancel(ref("0"))
    assert ((await demand_of(harness)).oldest_ms or 0) < 9000


async def test_the_same_after_a_claim_by_warm_places(harness: QueueHarness) -> None:
    await push(harness, 3)
    await harness.take(capacity=places(new=1, pages=2))
    assert (await demand_of(harness)).runnable == 1


@pytest.mark.parametrize("throttled", [[], {}])
def test_lua_knows_no_empty_map(throttled: object) -> None:
    names = [
        "at_ms",
        "jobs",
        "delayed",
        "claimed",
        "ending",
        "claims",
        "due",
        "leases_expired",
        "dead_letters",
        "outbox",
    ]
    names += [
        "outbox_due",
        "other",
        "workers",
        "backlogs",
        "looked",
        "queued",
        "runnable",
        "known",
        "known_ms",
        "slots",
    ]
    demand = demand_from({**dict.fromkeys(names, 1), "position": "", "throttled": throttled})
    assert demand.throttled == {}


async def put(harness: QueueHarness, slot_ms: int, text: str, after_ms: int = 0) -> tuple[bool, list[str]]:
    reset, texts = await harness.inspection.add_scaling_sample(slot_ms, text.encode(), after_ms)
    return reset, [each.decode() for each in texts]


async def test_each_interval_has_the_sample_of_the_process_that_came_first(harness: QueueHarness) -> None:
    now = int((await harness.client.time())[0]) * 1000
    assert await put(harness, now, "first") == (False, ["first"])
    assert await put(harness, now, "second") == (False, ["first"])
    assert await put(harness, now + 5000, "third", after_ms=now) == (False, ["third"])
    assert await put(harness, 0, "") == (False, ["first", "third"]), "read alone"
    assert await put(harness, now, "late", after_ms=now + 5000) == (False, [])


async def test_samples_are_bounded(harness: QueueHarness) -> None:
    now = int((await harness.client.time())[0]) * 1000
    for number in range(1010):
        await put(harness, now - 1010 + number, str(number), after_ms=now)
    assert await harness.client.xlen("pw:{0}:scaling") == 1000
    assert (await put(harness, 0, ""))[1][-1] == "1009"


async def test_samples_of_a_clock_that_went_back_are_dropped(harness: QueueHarness) -> None:
    now = int((await harness.client.time())[0]) * 1000
    await harness.later(3_600_000)
    await put(harness, now + 3_600_000, "ahead")
    await harness.later(-3_600_000)
    assert await put(harness, now, "now", after_ms=now + 3_600_000) == (True, ["now"])
    assert await put(harness, 0, "") == (False, ["now"])
