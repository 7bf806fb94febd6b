"""A job that may not run occupies no slot and blocks no other job."""

from pw_queue import DONE, LEASE_ENDS, QueueHarness, everything, ticket

from pageworker_supervisor.queue.producer import NewJob, QuotaLimits


async def test_a_tenant_at_its_concurrency_blocks_no_other_tenant(harness: QueueHarness) -> None:
    """bullmq#3325: one throttled tenant at the front held everybody back."""
    await harness.producer.enqueue([ticket(f"a-{n}", "a", concurrency=2) for n in range(100)])
    await harness.producer.enqueue([ticket(f"b-{n}", "b") for n in range(5)])
    leases = await harness.take()
    assert sorted(lease.tenant_id for lease in leases) == ["a"] * 2 + ["b"] * 5
    await harness.finish([lease for lease in leases if lease.tenant_id == "b"])
    assert await harness.take() == []
    (first, _) = [lease for lease in leases if lease.tenant_id == "a"]
    assert await harness.consumer.finish(first, **DONE)
    assert [lease.job_id for lease in await harness.take()] == ["a-2"]


async def test_a_permit_comes_back_once_however_a_lease_ends(harness: QueueHarness) -> None:
    """solid_queue#546: semaphores leaked, or were released twice."""
    await harness.producer.enqueue([ticket(f"j{n}", concurrency=1) for n in range(9)])
    for call in LEASE_ENDS:
        lease = await harness.one()
        assert await harness.take() == [], call
        await harness.end(lease, call, times=2)
        assert await harness.inspection.check_consistency() == [], call
    await harness.one()
    await harness.later(50_000)
    assert (await harness.consumer.reap()).count == 1
    assert (await harness.consumer.reap()).count == 0
    assert await harness.inspection.check_consistency() == []
    assert len(await harness.take()) == 1


async def test_a_rate_is_kept_and_tokens_come_back(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", rate=2.0, burst=3) for n in range(20)])
    assert len(await harness.drain()) == 3
    await harness.later(400)
    assert await harness.drain() == []
    await harness.later(200)
    assert len(await harness.drain()) == 1
    await harness.later(2_000)
    assert len(await harness.drain()) == 3, "no more than the burst"


async def test_a_domain_is_shared_by_all_tenants_in_turn(harness: QueueHarness) -> None:
    two = QuotaLimits(concurrency=2)
    for tenant in ("a", "b", "c"):
        await harness.producer.enqueue(
            [ticket(f"{tenant}-{n}", tenant, domain="shop.test", domain_limits=two) for n in range(50)]
        )
    await harness.producer.enqueue([ticket("other", "a", domain="else.test")])
    running = await harness.take()
    assert sorted(lease.job_id for lease in running)[-1] == "other"
    assert len(running) == 3
    served = [lease.tenant_id for lease in running if lease.job_id != "other"]
    await harness.finish(running)
    for _ in range(9):
        leases = await harness.take()
        assert len(leases) <= 2
        served += [lease.tenant_id for lease in leases]
        await harness.finish(leases)
        await harness.later(250)
    assert max(served.count(tenant) for tenant in "abc") - min(served.count(tenant) for tenant in "abc") <= 2


FOUR = QuotaLimits(concurrency=4)


def jobs_of(tenant: str, count: int, limits: QuotaLimits = FOUR, name: str = "") -> list[NewJob]:
    """Each in a context of its own, so each in a backlog of its own."""
    return [
        ticket(f"{tenant}{name}-{n}", tenant, profile_id=f"p{name}{n}", domain="shop.test", domain_limits=limits)
        for n in range(count)
    ]


async def test_a_released_permit_goes_to_the_tenant_that_holds_the_fewest(harness: QueueHarness) -> None:
    """A holds all permits of the domain and waits with many profiles; B came later, and gets every permit until both
    hold as many."""
    await harness.producer.enqueue(jobs_of("a", 40))
    held = await harness.take()
    assert [lease.tenant_id for lease in held] == ["a"] * 4
    await harness.producer.enqueue(jobs_of("b", 10))
    assert await harness.take() == []
    for expected in (["b"], ["b"], ["a", "b"]):
        ended = held.pop(0)
        await harness.finish([ended])
        held += await harness.take()
        assert held[-1].tenant_id in expected
    assert await harness.inspection.check_consistency() == []
    assert sorted(lease.tenant_id for lease in held) in (["a", "a", "b", "b"], ["a", "b", "b", "b"])


async def test_a_tenant_keeps_the_permits_that_it_shares_out_among_its_own_jobs(harness: QueueHarness) -> None:
    """B's short jobs follow each other on its two permits, while A's two do not end."""
    await harness.producer.enqueue(jobs_of("a", 40))
    await harness.producer.enqueue(jobs_of("b", 40))
    held = await harness.take()
    stays, goes = ([lease for lease in held if lease.tenant_id == tenant] for tenant in ("a", "b"))
    assert (len(stays), len(goes)) == (2, 2)
    assert await harness.take() == []
    for _ in range(10):
        await harness.finish([goes.pop(0)])
        goes += await harness.take()
        assert [lease.tenant_id for lease in goes] == ["b", "b"]
    await harness.finish(stays + goes)
    assert await harness.inspection.check_consistency() == []


async def test_tenants_take_turns_at_a_domains_rate_however_many_backlogs_they_have(harness: QueueHarness) -> None:
    slow = QuotaLimits(rate_per_second=1.0, burst=1)
    await harness.producer.enqueue(jobs_of("a", 40, slow))
    await harness.finish(await harness.take())
    while await harness.take():
        pass
    await harness.producer.enqueue(jobs_of("b", 5, slow))
    assert await harness.take() == []
    served = ""
    for _ in range(10):
        await harness.later(1_050)
        leases = await harness.take()
        served += "".join(lease.tenant_id for lease in leases)
        await harness.finish(leases)
    assert sorted(served) == ["a"] * 5 + ["b"] * 5, served


async def test_what_a_tenant_holds_of_a_domain_is_counted_however_a_lease_ends(harness: QueueHarness) -> None:
    await harness.producer.enqueue(jobs_of("a", 8, QuotaLimits(concurrency=1)))
    for call in (*LEASE_ENDS, None):
        lease = await harness.one()
        if call is None:
            await harness.later(50_000)
            assert (await harness.consumer.reap()).count == 1
        else:
            await harness.end(lease, call)
        assert await harness.inspection.check_consistency() == [], call
        assert await harness.client.hget("pw:{0}:domain:shop.test", "held:a") is None, call


async def test_a_domains_rate_is_kept(harness: QueueHarness) -> None:
    slow = QuotaLimits(rate_per_second=1.0, burst=1)
    await harness.producer.enqueue([ticket(f"j{n}", domain="slow.test", domain_limits=slow) for n in range(4)])
    for _ in range(4):
        assert len(await harness.drain()) == 1
        await harness.later(1_050)
    assert await harness.drain() == []


async def test_a_free_domain_does_not_wait_for_a_tenant_that_may_not_run(harness: QueueHarness) -> None:
    """The backlog that has waited longest belongs to a tenant whose permits are all out: the next one runs."""
    one = QuotaLimits(concurrency=1)
    await harness.producer.enqueue([ticket("holder", "z", domain="shop.test", domain_limits=one)])
    holder = await harness.one()
    await harness.producer.enqueue([ticket("a-0", "a", concurrency=1, domain="shop.test", domain_limits=one)])
    assert await harness.take() == []  # parked at the domain, before b's
    await harness.producer.enqueue([ticket("a-long", "a", concurrency=1)])
    long = await harness.one()
    await harness.producer.enqueue([ticket("b-0", "b", domain="shop.test", domain_limits=one)])
    assert await harness.take() == []
    await harness.finish([holder])
    assert [lease.job_id for lease in await harness.take()] == ["b-0"]
    assert long.job_id == "a-long"


async def test_claims_do_not_look_past_those_that_cannot_run(harness: QueueHarness) -> None:
    """Two thousand parked tenants cost a claim nothing."""
    for first in range(0, 2000, 500):
        await harness.producer.enqueue(
            [ticket(f"{n}-{job}", f"t{n}", concurrency=1) for n in range(first, first + 500) for job in (0, 1)]
        )
    assert sum([len(await harness.take(capacity=everything(250))) for _ in range(8)]) == 2000
    before = (await harness.client.info("stats"))["total_commands_processed"]
    assert await harness.take() == []
    after = (await harness.client.info("stats"))["total_commands_processed"]
    assert after - before < 60
