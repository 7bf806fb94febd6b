"""Limits of the fleet and of modules: never exceeded, given back however a lease ends, and in no other job's way."""

import asyncio
import json

import pytest
from pw_queue import LEASE_ENDS, QueueHarness, everything, places, ref, ticket

from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits
from pageworker_supervisor.queue.wakeup import Wakeup

TWO = QuotaLimits(concurrency=2)
SLOW = QuotaLimits(rate_per_second=1.0, burst=1)
FLEET = LimitsTable(fleet=TWO)
SHOP = LimitsTable(modules={"shop.*": TWO, "shop.free": None})


def of(module: str, count: int, tenant: str = "acme", **fields: object) -> list[NewJob]:
    """Jobs of a module."""
    names = [f"{module}-{tenant}-{n}" for n in range(count)]
    return [ticket(name, tenant, module=(module, None), **fields) for name in names]


def modules(leases: list[Lease]) -> list[str]:
    """The module of each, sorted."""
    return sorted(lease.job_id.partition("-")[0] for lease in leases)


async def test_the_fleets_concurrency_holds_for_all_tenants_together(harness: QueueHarness) -> None:
    await harness.queue.limits.set(FLEET)
    await harness.producer.enqueue([ticket(f"{tenant}-{n}", tenant) for tenant in "abc" for n in range(3)])
    running = await harness.take()
    assert sorted(lease.tenant_id for lease in running) == ["a", "b"]
    assert await harness.take() == []
    await harness.finish([running.pop()])
    assert [lease.tenant_id for lease in await harness.take()] == ["c"], "tenants keep their turns"
    assert await harness.take() == []


async def test_the_fleets_rate_is_kept(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(fleet=SLOW))
    await harness.producer.enqueue([ticket(f"{tenant}-{n}", tenant) for tenant in "ab" for n in range(2)])
    for _ in range(4):
        assert len(await harness.drain()) == 1
        await harness.later(1_050)
    assert await harness.drain() == []


async def test_permits_beyond_the_small_numbers_are_counted(harness: QueueHarness) -> None:
    """Small numbers are looked up, larger ones are printed. A count goes from one to the other."""
    wide = QuotaLimits(concurrency=260)
    await harness.queue.limits.set(
        LimitsTable(tenants={"*": wide}, domains={"*": wide}, modules={"*": wide}, fleet=QuotaLimits(concurrency=261))
    )
    await harness.producer.enqueue(of("news", 262, domain="shop.test"))
    running: list[Lease] = []
    while leases := await harness.take():
        running += leases
    assert len(running) == 260
    assert await harness.inspection.check_consistency() == []
    await harness.finish(running[:6])
    assert await harness.inspection.check_consistency() == []
    assert len(await harness.take()) == 2
    await harness.finish(running[6:])


async def test_a_rate_that_comes_while_jobs_run_stops_no_claim(harness: QueueHarness) -> None:
    """The tenant has taken no token yet when its running job is charged."""
    await harness.queue.limits.set(LimitsTable())
    await harness.producer.enqueue([ticket("j0"), ticket("j1")])
    first = await harness.one()
    await harness.queue.limits.set(LimitsTable(tenants={"*": SLOW}))
    await harness.later(5_000)
    assert (await harness.one()).ref != first.ref
    assert await harness.take() == []


async def test_a_modules_concurrency_holds_for_all_tenants_and_stops_no_other_module(harness: QueueHarness) -> None:
    """The jobs of the module that is used up are at the front of each tenant's backlog."""
    await harness.queue.limits.set(SHOP)
    for tenant in "ab":
        await harness.producer.enqueue(of("shop.product", 5, tenant))
        await harness.producer.enqueue([*of("shop.cart", 1, tenant), *of("news", 1, tenant)])
    assert modules(await harness.take()) == ["news", "news", "shop.cart", "shop.cart", "shop.product", "shop.product"]
    assert await harness.take() == []


async def test_a_modules_rate_is_kept(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(modules={"shop.product": SLOW}))
    await harness.producer.enqueue([*of("shop.product", 3), *of("news", 2)])
    assert len(await harness.drain()) == 3
    for _ in range(2):
        assert await harness.drain() == []
        await harness.later(1_050)
        assert len(await harness.drain()) == 1


async def test_an_exact_name_and_a_longer_glob_win(harness: QueueHarness) -> None:
    await harness.queue.limits.set(SHOP)
    await harness.producer.enqueue([*of("shop.free", 5), *of("shop.product", 5)])
    assert modules(await harness.take()) == ["shop.free"] * 5 + ["shop.product"] * 2


async def test_limits_that_come_after_the_job_count_for_it(harness: QueueHarness) -> None:
    """The backlog was filled before, and a job at its front may not run: those of other modules behind it do."""
    await harness.producer.enqueue([*of("shop.product", 100), *of("news", 3)])
    await harness.queue.limits.set(SHOP)
    taken = []
    while leases := await harness.take():
        taken += leases
    assert modules(taken) == ["news"] * 3 + ["shop.product"] * 2
    await harness.finish(taken)
    assert await harness.drain() == [f"shop.product-acme-{n}" for n in range(2, 100)], "in their order"


async def test_a_backlog_that_one_claim_empties_and_fills_again_is_listed(harness: QueueHarness) -> None:
    """The last job of the module's backlog takes the last permit. Then a job that was queued before comes into it."""
    await harness.producer.enqueue(of("shop.product", 2))
    await harness.queue.limits.set(SHOP)
    await harness.producer.enqueue([ticket("late", module=("shop.product", None))])
    assert {lease.job_id for lease in await harness.take()} == {"shop.product-acme-0", "late"}
    assert [view.ref.job_id for view in (await harness.inspection.jobs()).jobs if view.state == "queued"] == [
        "shop.product-acme-1"
    ]
    assert await harness.inspection.check_consistency() == []


async def test_a_long_backlog_of_a_module_that_is_used_up_delays_no_other_tenant(harness: QueueHarness) -> None:
    await harness.producer.enqueue(of("shop.product", 2, "first"))
    assert len(await harness.take()) == 2
    await harness.producer.enqueue([*of("shop.product", 1500), *of("news", 1, "later")])
    await harness.queue.limits.set(SHOP)
    assert "news" in modules(await harness.take()), "though acme comes first"


async def test_a_job_of_an_older_release_counts_for_the_module_in_its_json(harness: QueueHarness) -> None:
    bodies = [json.dumps({"endpoint_module": "shop.product@1.2.0", "n": n}).encode() for n in range(5)]
    await harness.producer.enqueue([ticket(f"shop.product-{n}", body=body) for n, body in enumerate(bodies)])
    for n in range(5):
        await harness.client.hdel(f"pw:{{0}}:job:acme/shop.product-{n}", "module")
    await harness.queue.limits.set(SHOP)
    assert len(await harness.take()) == 2


async def test_limits_that_go_stop_no_job_any_more(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(modules={"*": TWO}, fleet=QuotaLimits(concurrency=3)))
    await harness.producer.enqueue([*of("shop.product", 5, "a"), *of("shop.cart", 5, "b")])
    running = await harness.take()
    assert len(running) == 3
    assert await harness.take() == []
    await harness.queue.limits.set(LimitsTable())
    rest = [lease for _ in range(3) for lease in await harness.take()]
    assert len(rest) == 7
    await harness.finish(running + rest)


async def test_jobs_that_run_already_count_for_new_limits(harness: QueueHarness) -> None:
    await harness.producer.enqueue([*of("shop.product", 5), *of("news", 5)])
    running = await harness.take(capacity=everything(3))
    assert await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=4), modules={"shop.*": TWO}))
    assert await harness.inspection.check_consistency() == []
    running += await harness.take()
    assert len(running) == 4
    await harness.finish(running)
    assert await harness.inspection.check_consistency() == []


@pytest.mark.parametrize("table", [LimitsTable(fleet=QuotaLimits(concurrency=1)), LimitsTable(modules={"*": TWO})])
async def test_a_shared_permit_comes_back_once_however_a_lease_ends(harness: QueueHarness, table: LimitsTable) -> None:
    await harness.queue.limits.set(table)
    await harness.producer.enqueue(of("shop.product", 20))
    at_once = 1 if table.fleet else 2
    for call in (*LEASE_ENDS, None):
        leases = await harness.take()
        assert len(leases) == at_once, call
        if call is None:
            await harness.later(50_000)
            assert (await harness.consumer.reap()).count == at_once
        else:
            for lease in leases:
                await harness.end(lease, call, times=2)
        assert await harness.inspection.check_consistency() == [], call
    assert len(await harness.take()) == at_once


async def test_a_released_fleet_permit_wakes_a_worker_that_waits(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=1)))
    await harness.producer.enqueue([ticket(f"{tenant}-{n}", tenant) for tenant in "ab" for n in range(2)])
    first = await harness.one("w1")
    assert await harness.take("w2") == []
    assert await harness.consumer.wait("w2", 0.05) == Wakeup(), "a token that no worker can use is not left behind"
    await harness.finish([first])
    assert (await harness.consumer.wait("w2", 5)).work
    assert len(await harness.take("w2")) == 1


async def test_a_refill_of_the_fleet_wakes_a_worker(harness: QueueHarness) -> None:
    await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(rate_per_second=5.0, burst=1)))
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(2)])
    await harness.finish([await harness.one()])
    assert await harness.take() == []
    assert (await harness.consumer.wait("w1", 5)).work


async def test_a_worker_asks_for_no_other_context_while_the_fleet_is_used_up(harness: QueueHarness) -> None:
    """It would give up a warm runner, and still could not start the job."""
    await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=1)))
    await harness.producer.enqueue([ticket("a", "a"), ticket("b", "b"), ticket("c", "c")])
    first = await harness.one()
    claimed = await harness.consumer.claim("w1", places((first.tenant_id, None, 3)))
    assert (claimed.leases, claimed.wanted) == ((), ())


TABLES = {
    "tenant": LimitsTable(tenants={"acme": QuotaLimits(concurrency=1)}),
    "domain": LimitsTable(domains={"shop.test": QuotaLimits(concurrency=1)}),
    "module": LimitsTable(modules={"shop.product": QuotaLimits(concurrency=1)}),
    "fleet": LimitsTable(fleet=QuotaLimits(concurrency=1)),
    "tenant rate": LimitsTable(tenants={"acme": QuotaLimits(rate_per_second=0.01, burst=1)}),
    "domain rate": LimitsTable(domains={"shop.test": QuotaLimits(rate_per_second=0.01, burst=1)}),
    "module rate": LimitsTable(modules={"shop.product": QuotaLimits(rate_per_second=0.01, burst=1)}),
    "fleet rate": LimitsTable(fleet=QuotaLimits(rate_per_second=0.01, burst=1)),
}


@pytest.mark.parametrize("name", list(TABLES))
async def test_a_throttled_job_says_which_limit_is_used_up(harness: QueueHarness, name: str) -> None:
    await harness.queue.limits.set(TABLES[name])
    await harness.producer.enqueue(of("shop.product", 3, domain="shop.test"))
    assert {view.why for view in (await harness.inspection.jobs("queued")).jobs} == {None}
    await harness.one()
    assert await harness.take() == []
    reason = f"throttled: {name if ' ' in name else f'{name} concurrency'}"
    assert {view.why for view in (await harness.inspection.jobs("queued")).jobs} == {reason}
    (stats,) = await harness.inspection.stats()
    shown = {tenant.tenant_id: tenant.throttled for tenant in stats.tenants}
    assert shown == ({"acme": reason} if name.startswith(("tenant", "fleet")) else {})


async def test_a_job_that_only_ends_takes_no_permit_of_the_fleet(harness: QueueHarness) -> None:
    """It is claimed before any job has taken a token, and while none is left."""
    await harness.queue.limits.set(TABLES["fleet rate"])
    await harness.producer.enqueue(of("shop.product", 3))
    first, second, third = (ref(f"shop.product-acme-{n}") for n in range(3))
    await harness.inspection.cancel(first)
    (ending,) = await harness.take(capacity=places(new=0, pages=1))
    assert (ending.ref, ending.ending) == (first, "cancelled")
    await harness.finish([ending])
    assert (await harness.one()).ref == second
    await harness.inspection.cancel(third)
    assert [lease.ref for lease in await harness.take()] == [third]
    assert await harness.inspection.check_consistency() == []


async def test_a_module_that_runs_no_job_is_forgotten_once_its_tokens_are_full(harness: QueueHarness) -> None:
    """Until then its record is kept, so that forgetting it refills nothing."""
    slow = QuotaLimits(rate_per_second=0.01, burst=50)
    await harness.queue.limits.set(LimitsTable(modules={"slow": slow, "shop.*": QuotaLimits(concurrency=9)}))
    await harness.producer.enqueue([*of("slow", 3), *of("shop.product", 3)])
    leases = await harness.take()
    assert len(await harness.client.keys("pw:{0}:module:*")) == 2
    await harness.finish(leases)
    assert await harness.client.keys("pw:{0}:module:*") == [b"pw:{0}:module:slow"]
    assert await harness.client.ttl("pw:{0}:module:slow") > 4_900
    assert await harness.inspection.check_consistency() == []
    await harness.producer.enqueue(of("slow", 1, tenant="other"))
    await harness.one()
    assert await harness.client.ttl("pw:{0}:module:slow") == -1, "a module that runs a job is not forgotten"
    assert float(await harness.client.hget("pw:{0}:module:slow", "tokens")) < 47


async def test_without_shared_limits_nothing_is_counted(harness: QueueHarness) -> None:
    """The common case costs no command and no key."""
    await harness.queue.limits.set(LimitsTable())
    await harness.producer.enqueue(of("shop.product", 3))
    lease = await harness.one()
    keys = {key.decode().removeprefix("pw:{0}:") for key in await harness.client.keys("pw:*")}
    assert not {key for key in keys if key.startswith(("fleet", "module", "waited_for"))}
    assert await harness.client.hget(f"pw:{{0}}:job:{lease.ref}", "permits") is None


@pytest.mark.parametrize(
    ("name", "channel"), [("tenant", "acme"), ("domain", "acme"), ("module", "acme"), ("fleet", "_fleet")]
)
async def test_a_used_up_limit_is_told_once_a_minute(harness: QueueHarness, name: str, channel: str) -> None:
    events = harness.client.pubsub(ignore_subscribe_messages=True)
    await events.subscribe(f"pw:events:{channel}")
    await harness.queue.limits.set(TABLES[name])
    await harness.producer.enqueue(of("shop.product", 20, domain="shop.test"))
    for _ in range(9):
        leases = await harness.take()
        assert await harness.take() == []
        await harness.finish(leases)
        await harness.later(10_000)
    await harness.client.publish(f"pw:events:{channel}", b'{"event":"over"}')
    told = []
    async with asyncio.timeout(10):
        while (event := json.loads((await anext(events.listen()))["data"]))["event"] != "over":
            told.append((event["event"], event.get("tenant_id"), event["detail"]["reason"]))
    await events.aclose()
    tenant = None if channel == "_fleet" else "acme"
    assert told == [("throttled", tenant, f"throttled: {name} concurrency")] * 2
