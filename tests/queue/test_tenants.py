"""What tenants use of their limits: from every place where a tenant may have something."""

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, everything, open_harness, places, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.queue.tenants import usage_from

ROW = {
    "tenant": "acme",
    "limits": "2.5 40 0 100",
    "jobs": 10,
    "bytes": 700,
    "running": 3,
    "delayed": 2,
    "ending": 1,
    "dead_letters": 0,
    "dead_bytes": 0,
}


def test_a_row_without_a_rate_and_without_anything_held() -> None:
    usage = usage_from(ROW, 0, 12)
    assert (usage.weight, usage.concurrency, usage.rate_per_second, usage.tokens) == (2.5, 40, None, None)
    assert (usage.queued, usage.delayed, usage.running, usage.ending) == (4, 2, 3, 1)
    assert usage.running_share == 0.25
    assert (usage.mean_page_seconds, usage.throttled, usage.pause, usage.profiles) == (None, None, None, ())


def test_nothing_runs_and_nothing_is_counted_below_zero() -> None:
    """The numbers are read one after the other."""
    usage = usage_from({**ROW, "jobs": 2}, 0, 0)
    assert (usage.queued, usage.running_share) == (0, 0.0)


async def test_one_tenant_with_something_of_everything(harness: QueueHarness) -> None:
    limits = QuotaLimits(weight=3.0, concurrency=2, rate_per_second=1.0, burst=5)
    await harness.queue.limits.set(LimitsTable(tenants={"acme": limits}))
    await harness.producer.enqueue(
        [
            *(ticket(f"j{n}", profile_id="p1" if n == 0 else None) for n in range(5)),
            *(ticket(f"d{n}", delay_ms=60_000) for n in range(3)),
            ticket("c"),
        ]
    )
    dead = await harness.one()
    await harness.later(2_000)
    await harness.consumer.finish(dead, **JobEnd(status="failed", result=b"{}", dead_letter=b"{}"))
    first = await harness.take(capacity=everything(2))
    assert len(first) == 2
    await harness.producer.enqueue([ticket("x", "other")])
    other = await harness.take(capacity=places(new=1))
    await harness.inspection.cancel(ref("c"))
    await harness.queue.pauses.pause("tenant", "acme", "why", "ann")
    usage = await harness.queue.tenants.show("acme")
    assert (usage.weight, usage.concurrency, usage.rate_per_second, usage.burst) == (3.0, 2, 1.0, 5)
    assert (usage.jobs, usage.queued, usage.delayed, usage.running, usage.ending) == (8, 2, 3, 2, 1)
    assert usage.running_share == pytest.approx(2 / 3)
    assert usage.bytes > 0
    assert usage.tokens is not None
    assert 2 <= usage.tokens <= 4
    assert usage.throttled == "paused: tenant acme: why"
    assert usage.pause is not None
    assert (usage.pause.reason, usage.pause.by) == ("why", "ann")
    assert usage.dead_letters == 1
    assert usage.dead_bytes > 0
    assert usage.mean_page_seconds == pytest.approx(2.0, abs=1.0)
    await harness.finish([*first, *other])


async def test_every_tenant_that_has_anything_is_listed(live_redis: RedisServer) -> None:
    """Running, queued, delayed, ending, dead, paused, or named by the caller; on two shards."""
    async with open_harness(live_redis.port, shards=2) as harness:
        await harness.producer.enqueue([ticket("j", "runs", profile_id="p1"), ticket("j", "died")])
        leases = {lease.tenant_id: lease for lease in await harness.take()}
        await harness.consumer.finish(leases["died"], **JobEnd(status="failed", result=b"{}", dead_letter=b"{}"))
        await harness.producer.enqueue([ticket("j", "later", delay_ms=9_000), ticket("j", "ends", delay_ms=9_000)])
        await harness.producer.enqueue([ticket(f"j{n}", tenant) for tenant in ("waits", "waits-2") for n in range(3)])
        await harness.inspection.cancel(ref("j", "ends"))
        await harness.queue.pauses.pause("tenant", "paused", "why", "ann")
        found = await harness.queue.tenants.all(100, ["named", "waits"])
        assert [usage.tenant_id for usage in found.tenants] == [
            *("died", "ends", "later", "named", "paused", "runs", "waits", "waits-2")
        ]
        assert not found.more
        by_name = {usage.tenant_id: usage for usage in found.tenants}
        assert by_name["runs"].profiles == ("p1",)
        assert by_name["runs"].running_share == 1.0
        assert (by_name["ends"].ending, by_name["later"].delayed, by_name["waits"].queued) == (1, 1, 3)
        assert (await harness.queue.tenants.show("runs")).running_share == 1.0
        few = await harness.queue.tenants.all(1)
        assert few.more
        assert len(few.tenants) == 2, "one of each shard"
        assert await harness.consumer.finish(leases["runs"], **DONE)
        assert await harness.inspection.check_consistency() == []


async def test_pages_of_tenants_go_by_name(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, shards=2) as harness:
        await harness.producer.enqueue([ticket("j", f"t{n}") for n in range(7)])
        tenants, seen, after = harness.queue.tenants, list[str](), ""
        while True:
            page = await tenants.page(after, 3, ("acme", "t3"))
            seen += [one.tenant_id for one in page.tenants]
            if not page.more:
                break
            after = seen[-1]
        assert seen == ["acme", *(f"t{n}" for n in range(7))]
