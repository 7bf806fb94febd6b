"""A table of limits governs from the next claim on, also what waits already."""

from pw_queue import DONE, QueueHarness, everything, ticket

from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits


def tenants(version: int = 0, **limits: QuotaLimits) -> LimitsTable:
    """A table of tenants; `_` in a name stands for `*`."""
    return LimitsTable(version=version, tenants={name.replace("_", "*"): each for name, each in limits.items()})


async def test_new_limits_govern_jobs_that_wait_already(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{number}", concurrency=1) for number in range(9)])
    running = await harness.take()
    assert len(running) == 1
    assert await harness.queue.limits.set(tenants(acme=QuotaLimits(concurrency=3))) == "set"
    running += await harness.take()
    assert len(running) == 3
    assert await harness.queue.limits.set(tenants(acme=QuotaLimits(concurrency=2))) == "set"
    await harness.finish([running.pop()])
    assert await harness.take() == []
    await harness.finish([running.pop()])
    assert len(await harness.take()) == 1


async def test_the_limits_that_come_with_a_job_do_not_count_beside_a_table(harness: QueueHarness) -> None:
    await harness.queue.limits.set(tenants(acme=QuotaLimits(concurrency=2)))
    await harness.producer.enqueue([ticket(f"j{number}", concurrency=9) for number in range(9)])
    assert len(await harness.take()) == 2


async def test_a_raised_domain_limit_lets_backlogs_come_back(harness: QueueHarness) -> None:
    one = QuotaLimits(concurrency=1)
    jobs = [ticket(f"j{n}", f"t{n}", domain="shop.test", domain_limits=one) for n in range(5)]
    await harness.producer.enqueue(jobs)
    assert len(await harness.take()) == 1
    assert await harness.take() == []
    await harness.queue.limits.set(LimitsTable(domains={"*.test": QuotaLimits(concurrency=3)}))
    assert len(await harness.take()) == 2
    assert await harness.take() == []


async def test_a_rate_that_is_taken_away_stops_no_tenant_any_more(harness: QueueHarness) -> None:
    await harness.queue.limits.set(tenants(acme=QuotaLimits(rate_per_second=0.001, burst=1)))
    await harness.producer.enqueue([ticket(f"j{number}") for number in range(3)])
    assert len(await harness.drain()) == 1
    await harness.queue.limits.set(tenants())
    assert len(await harness.drain()) == 2


async def test_the_same_table_again_changes_nothing_and_the_last_of_a_version_holds(harness: QueueHarness) -> None:
    first, second = tenants(acme=QuotaLimits(concurrency=1)), tenants(acme=QuotaLimits(concurrency=2))
    assert await harness.queue.limits.ids() == [None]
    assert [await harness.queue.limits.set(table) for table in (first, first, second)] == ["set", "same", "set"]
    assert await harness.queue.limits.ids() == [second.id]


async def test_a_lower_version_never_replaces_a_higher_one(harness: QueueHarness) -> None:
    high = tenants(7, acme=QuotaLimits(concurrency=1))
    assert await harness.queue.limits.set(high) == "set"
    assert await harness.queue.limits.set(tenants(6, acme=QuotaLimits(concurrency=5))) == "older"
    assert await harness.queue.limits.ids() == [high.id]
    assert (await harness.consumer.heartbeat("w1", [])).limits == {high.id}


async def test_a_heartbeat_tells_that_no_table_is_in_force(harness: QueueHarness) -> None:
    assert (await harness.consumer.heartbeat("w1", [])).limits == {None}


KEYS = ("acme", "acme-*", "ac?e", "*", "a*", "a.me", "b[1]*", "%a+*", "*-x-*")
NAMES = ("acme", "acme-1", "acye", "zeta", "a", "axme", "a.me", "b[1]z", "b1z", "%a+b", "aa-x-b", "-x-")


async def test_redis_finds_the_limits_that_the_settings_give(harness: QueueHarness) -> None:
    """Every glob is the longest match of some name, and characters that Lua's patterns know stand for themselves."""
    limits = {key: TenantSettings(concurrency=number) for number, key in enumerate(KEYS, 1)}
    table = LimitsTable(tenants={key: QuotaLimits(concurrency=each.concurrency) for key, each in limits.items()})
    await harness.queue.limits.set(table)
    found = {limits_for(limits, name).concurrency for name in NAMES}
    assert found == set(range(1, len(KEYS) + 1)), "each key wins somewhere"
    for name in NAMES:
        wanted = limits_for(limits, name).concurrency
        await harness.producer.enqueue([ticket(f"j{number}", name) for number in range(12)])
        leases = await harness.take(capacity=everything(50))
        assert len(leases) == wanted, name
        await harness.finish(leases)
        while leases := await harness.take():
            await harness.finish(leases)


async def test_a_raised_weight_shows_within_two_claims(harness: QueueHarness) -> None:
    """A tenant of a tiny weight has just been served: its next turn is far away, until its weight is raised."""
    await harness.queue.limits.set(tenants(slow=QuotaLimits(weight=0.001), _=QuotaLimits(weight=1.0)))
    for tenant in ("slow", "other"):
        await harness.producer.enqueue([ticket(f"{tenant}-{number}", tenant) for number in range(300)])
    served = [(await harness.one()).tenant_id for _ in range(50)]
    assert served.count("slow") == 1
    await harness.queue.limits.set(tenants(slow=QuotaLimits(weight=1000.0), _=QuotaLimits(weight=1.0)))
    assert "slow" in [(await harness.one()).tenant_id for _ in range(2)]
    assert [(await harness.one()).tenant_id for _ in range(20)].count("slow") >= 18


async def test_a_change_reaches_every_tenant_that_waits(harness: QueueHarness) -> None:
    waiting = 2000
    for first in range(0, waiting, 500):
        jobs = [ticket(f"{n}-{job}", f"t{n}", concurrency=1) for n in range(first, first + 500) for job in (0, 1)]
        await harness.producer.enqueue(jobs)
    assert sum([len(await harness.take(capacity=everything(250))) for _ in range(waiting // 250)]) == waiting
    assert await harness.take() == []
    await harness.queue.limits.set(tenants(t9=QuotaLimits(concurrency=1), _=QuotaLimits(concurrency=2)))
    taken = [lease for _ in range(waiting // 250 + 1) for lease in await harness.take(capacity=everything(250))]
    assert len(taken) == waiting - 1
    assert await harness.consumer.finish(taken[0], **DONE)
