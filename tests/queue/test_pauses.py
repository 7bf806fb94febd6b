"""A paused tenant, module or domain gets no more claims, and in no other job's way. Running jobs go on."""

import asyncio
import json
from typing import Any

import pytest
from pw_queue import QueueHarness, places, ref, ticket

from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.pauses import PauseKind, Pauses
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits
from pageworker_supervisor.queue.wakeup import PauseNotice

HOST = "shop.test"
MODULE = "shop.product"
PAUSED: list[tuple[PauseKind, str]] = [("tenant", "acme"), ("module", MODULE), ("domain", HOST)]
"""Each of them holds up the jobs of `target`, and no others."""


def target(count: int, first: int = 0, **fields: Any) -> list[NewJob]:
    """Jobs of tenant, module and domain of PAUSED."""
    return [ticket(f"t{n}", module=(MODULE, None), domain=HOST, **fields) for n in range(first, first + count)]


def others() -> list[NewJob]:
    """Of another tenant, and of another module and domain of the same tenant."""
    free: dict[str, Any] = {"module": ("news", None), "domain": "news.test"}
    return [ticket("o1", "other", **free), ticket("o2", "other", **free)]


def same_tenant(kind: PauseKind) -> list[NewJob]:
    """Jobs of the tenant that are not paused."""
    return [] if kind == "tenant" else [ticket("s1", module=("news", None), domain="news.test")]


def pauses(harness: QueueHarness) -> Pauses:
    return harness.queue.pauses


async def until_woken(harness: QueueHarness) -> None:
    """Until there may be work: a notice may come first."""
    async with asyncio.timeout(10):
        while not (await harness.consumer.wait("w1", 10)).work:
            pass


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_what_is_paused_starts_no_job_until_it_is_unpaused(
    harness: QueueHarness, kind: PauseKind, name: str
) -> None:
    """Some jobs are queued before, some after. Each job of another tenant, module and domain runs."""
    await harness.producer.enqueue(target(3))
    running = await harness.one()
    change = await pauses(harness).pause(kind, name, "the shop is down", "ann@ops")
    assert (change.changed, change.until_ms, change.failed) == (True, None, {})
    await harness.producer.enqueue([*target(3, 3), *same_tenant(kind), *others()])
    assert set(await harness.drain()) == {job.job_id for job in [*same_tenant(kind), *others()]}
    assert await harness.take() == []
    assert await harness.inspection.check_consistency() == []
    await harness.finish([running])
    assert await harness.take() == [], "a permit that comes back starts none either"
    assert (await pauses(harness).unpause(kind, name, "ann@ops")).changed
    assert sorted(await harness.drain()) == [f"t{n}" for n in range(1, 6)]


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_a_pause_ends_at_its_time(harness: QueueHarness, kind: PauseKind, name: str) -> None:
    await harness.producer.enqueue(target(2))
    change = await pauses(harness).pause(kind, name, "night", "ann", for_seconds=1800)
    assert change.until_ms is not None
    assert await harness.take() == []
    await harness.later(1_799_000)
    assert await harness.take() == []
    await harness.later(1_000)
    assert sorted(await harness.drain()) == ["t0", "t1"]
    assert await pauses(harness).all() == []
    assert await harness.client.exists("pw:{0}:paused") == 0
    assert await harness.client.hget("pw:{0}:meta", "paused") is None


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_the_end_of_a_pause_wakes_a_worker(harness: QueueHarness, kind: PauseKind, name: str) -> None:
    await harness.producer.enqueue(target(2))
    await pauses(harness).pause(kind, name, "short", "ann", for_seconds=0.4)
    assert await harness.take() == []
    await until_woken(harness)
    assert len(await harness.take(capacity=places(new=1, pages=1))) == 1
    await pauses(harness).pause(kind, name, "why", "ann")
    assert await harness.take() == []
    assert not (await harness.consumer.wait("w1", 0.05)).work
    await pauses(harness).unpause(kind, name, "ann")
    await until_woken(harness)
    assert len(await harness.take()) == 1


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_a_longer_pause_and_one_without_end_replace_a_shorter_one(
    harness: QueueHarness, kind: PauseKind, name: str
) -> None:
    await harness.producer.enqueue(target(1))
    for seconds in (10, 60, None):
        await pauses(harness).pause(kind, name, f"for {seconds}", "ann", for_seconds=seconds)
    assert await harness.take() == []
    await harness.later(100_000)
    assert await harness.take() == []
    assert [view.reason for view in await pauses(harness).all()] == ["for None"]
    await pauses(harness).pause(kind, name, "shorter", "ann", for_seconds=5)
    await harness.later(5_100)
    assert await harness.drain() == ["t0"]


@pytest.mark.parametrize("limits", [None, QuotaLimits(concurrency=2), QuotaLimits(rate_per_second=5.0, burst=2)])
@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_a_pause_over_a_limit_gives_back_the_limit(
    harness: QueueHarness, kind: PauseKind, name: str, limits: QuotaLimits | None
) -> None:
    """Paused while the limit is used up; its permits and tokens come back during the pause, and hold after it."""
    if limits:
        await harness.queue.limits.set(
            LimitsTable(
                tenants={"acme": limits} if kind == "tenant" else {},
                domains={HOST: limits} if kind == "domain" else {},
                modules={MODULE: limits} if kind == "module" else {},
            )
        )
    await harness.producer.enqueue(target(9))
    running = await harness.take(capacity=places(new=2, pages=1))
    assert len(running) == 2
    assert len(await harness.take()) == (0 if limits else 7)
    await harness.producer.enqueue(target(3, 9))
    await pauses(harness).pause(kind, name, "why", "ann", for_seconds=300)
    await harness.later(60_000)
    assert await harness.take() == []
    await harness.finish(running)
    assert await harness.take() == []
    await harness.later(241_000)
    assert len(await harness.take()) == (2 if limits else 3)
    assert await harness.inspection.check_consistency() == []


async def test_a_pause_of_a_host_holds_for_what_each_tenant_declares(harness: QueueHarness) -> None:
    """A domain that the URL does not confirm is a key of its tenant alone, with the limits of its host."""
    await pauses(harness).pause("domain", HOST, "why", "ann")
    await harness.producer.enqueue([ticket("a", domain=f"{HOST}@acme"), ticket("b", "bob", domain=f"{HOST}@bob")])
    await harness.producer.enqueue([ticket("c", domain=f"www.{HOST}")])
    assert await harness.drain() == ["c"]
    await pauses(harness).unpause("domain", HOST, "ann")
    assert sorted(await harness.drain()) == ["a", "b"]


async def test_a_long_backlog_of_a_paused_module_delays_no_other_tenant(harness: QueueHarness) -> None:
    """Its jobs were queued before the pause, in front of another module's of the same tenant."""
    jobs = [ticket(f"p{n}", module=(MODULE, None)) for n in range(1500)]
    await harness.producer.enqueue([*jobs, ticket("news"), ticket("later", "later", module=(MODULE + "s", None))])
    await pauses(harness).pause("module", MODULE, "why", "ann")
    assert "later" in {lease.job_id for lease in await harness.take()}
    taken = [lease.job_id for _ in range(60) for lease in await harness.take()]
    assert taken == ["news"]
    assert (await harness.consumer.wait("w1", 0.05)).work is False, "nothing is left to be moved"
    await pauses(harness).unpause("module", MODULE, "ann")
    assert await harness.drain() == [job.job_id for job in jobs]


async def test_many_backlogs_of_a_paused_module_come_back_soon(harness: QueueHarness) -> None:
    """A module without limits: nothing slows down what waited for the end of its pause."""
    await pauses(harness).pause("module", MODULE, "why", "ann")
    await harness.producer.enqueue([ticket("j", f"t{n}", module=(MODULE, None)) for n in range(120)])
    assert await harness.drain() == []
    await pauses(harness).unpause("module", MODULE, "ann")
    done = 0
    for _ in range(60):
        done += len(await harness.drain())
        await harness.later(1)
    assert done == 120


async def test_a_paused_job_still_expires_and_is_cancelled(harness: QueueHarness) -> None:
    await pauses(harness).pause("tenant", "acme", "why", "ann")
    seconds, _ = await harness.client.time()
    await harness.producer.enqueue([*target(1, expires_at_ms=(seconds + 60) * 1000), *target(1, 1)])
    await harness.inspection.cancel(ref("t1"))
    await harness.later(70_000)
    leases = await harness.take()
    ends = {lease.job_id: lease.ending for lease in leases}
    assert ends == {"t0": "expired", "t1": "cancelled"}
    await harness.finish(leases)


@pytest.mark.parametrize(("kind", "name"), PAUSED)
@pytest.mark.parametrize("limit", [1, 1000])
async def test_no_job_is_lost_when_records_expire_during_a_pause(
    harness: QueueHarness, kind: PauseKind, name: str, limit: int
) -> None:
    """All jobs that wait are cancelled. What they leave in their backlogs must not hold up a later job."""
    table = LimitsTable(
        domains={HOST: QuotaLimits(concurrency=limit)}, modules={MODULE: QuotaLimits(concurrency=limit)}
    )
    await harness.queue.limits.set(table)
    await harness.producer.enqueue(target(1))
    await pauses(harness).pause(kind, name, "why", "ann")
    assert await harness.take() == []
    await harness.inspection.cancel(ref("t0"))
    await harness.drain()
    assert await harness.inspection.check_consistency() == []
    for key in await harness.client.keys("pw:*"):  # the time to live of an idle record is over
        if 0 < await harness.client.ttl(key) <= 900:
            await harness.client.delete(key)
    assert await harness.inspection.check_consistency() == []
    await harness.producer.enqueue(target(3, 1))
    assert await harness.take() == []
    await pauses(harness).unpause(kind, name, "ann")
    for _ in range(10):
        await harness.drain()
        await harness.later(300)
    (stats,) = await harness.inspection.stats()
    assert (stats.queued, stats.parked_tenants, stats.active_tenants) == (0, 0, 0)


async def test_a_record_that_was_to_expire_is_kept_until_the_pause_ends(harness: QueueHarness) -> None:
    """The tenant has no job any more, but a backlog with what a cancelled one left in it."""
    await harness.producer.enqueue(target(1))
    await harness.inspection.cancel(ref("t0"))
    await harness.finish(await harness.take(capacity=places(new=0)))
    assert await harness.client.ttl("pw:{0}:tenant:acme") > 0
    await pauses(harness).pause("tenant", "acme", "why", "ann")
    assert await harness.client.ttl("pw:{0}:tenant:acme") == -1
    await pauses(harness).unpause("tenant", "acme", "ann")
    assert await harness.client.ttl("pw:{0}:tenant:acme") > 0


async def test_backlogs_come_back_one_by_one_though_the_record_of_their_domain_had_expired(
    harness: QueueHarness,
) -> None:
    """The domain permits one job at a time: the end of the first one must bring the other tenant's."""
    await harness.queue.limits.set(LimitsTable(domains={HOST: QuotaLimits(concurrency=1)}))
    await harness.producer.enqueue([ticket("j", tenant, domain=HOST) for tenant in "ab"])
    await pauses(harness).pause("domain", HOST, "why", "ann")
    assert await harness.take() == []
    for tenant in "ab":
        await harness.inspection.cancel(ref("j", tenant))
    await harness.drain()
    assert await harness.client.delete(f"pw:{{0}}:domain:{HOST}") == 1
    await harness.producer.enqueue([ticket("k", tenant, domain=HOST) for tenant in "ab"])
    await pauses(harness).unpause("domain", HOST, "ann")
    (first,) = await harness.take()
    await harness.later(300)
    assert await harness.take() == []
    await harness.finish([first])
    (second,) = await harness.take()
    assert {first.tenant_id, second.tenant_id} == {"a", "b"}
    await harness.finish([second])


async def test_a_longer_pause_without_jobs_is_forgotten_at_its_end(harness: QueueHarness) -> None:
    """The timer of the shorter one, which it replaced, comes first."""
    for seconds in (10, 60):
        await pauses(harness).pause("tenant", "acme", "why", "ann", for_seconds=seconds)
    await harness.later(11_000)
    assert await harness.take() == []
    assert await harness.inspection.check_consistency() == []
    await harness.later(50_000)
    assert await harness.take() == []
    assert await harness.client.exists("pw:{0}:paused") == 0


async def test_a_job_of_an_older_release_waits_for_the_module_in_its_json(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j", body=json.dumps({"endpoint_module": f"{MODULE}@1.2.0"}).encode())])
    await harness.client.hdel("pw:{0}:job:acme/j", "module")
    await pauses(harness).pause("module", MODULE, "why", "ann")
    assert await harness.take() == []
    await pauses(harness).unpause("module", MODULE, "ann")
    assert await harness.inspection.check_consistency() == [], (
        "it is in a backlog of its own, though its module is not paused"
    )
    assert await harness.drain() == ["j"]


async def test_a_profiles_holder_starts_no_paused_job(harness: QueueHarness) -> None:
    await harness.producer.enqueue(target(1, profile_id="p1"))
    lease = await harness.one()
    await pauses(harness).pause("tenant", "acme", "why", "ann")
    await harness.producer.enqueue(target(2, 1, profile_id="p1"))
    held = places(("acme", "p1", 3))
    assert await harness.take(capacity=held) == []
    assert await harness.inspection.check_consistency() == []
    await pauses(harness).unpause("tenant", "acme", "ann")
    rest = await harness.take(capacity=held)
    assert sorted(each.job_id for each in rest) == ["t1", "t2"]
    await harness.finish([lease, *rest])


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_a_listing_says_what_is_paused_and_why(harness: QueueHarness, kind: PauseKind, name: str) -> None:
    await harness.producer.enqueue(target(2))
    await pauses(harness).pause(kind, name, "the shop is down", "ann@ops", for_seconds=60)
    for _ in range(2):
        views = (await harness.inspection.jobs("queued")).jobs
        assert {view.why for view in views} == {f"paused: {kind} {name}: the shop is down"}
        assert await harness.take() == []
    (view,) = await pauses(harness).all()
    assert (view.kind, view.name, view.reason, view.by, view.shards) == (
        kind,
        name,
        "the shop is down",
        "ann@ops",
        (0,),
    )
    assert view.until_ms == view.since_ms + 60_000
    (stats,) = await harness.inspection.stats()
    assert stats.paused == {"tenant": 0, "module": 0, "domain": 0, "budget": 0} | {kind: 1}
    if kind == "tenant":
        assert [tenant.throttled for tenant in stats.tenants] == ["paused: tenant acme: the shop is down"]


async def test_the_same_call_again_changes_nothing(harness: QueueHarness) -> None:
    """A reply may be lost: the call is repeated with the same id."""
    request = {"kind": "t", "name": "acme", "id": "one", "reason": "why", "by": "ann", "for_ms": 9_000, "tells": True}
    call = harness.function_call("pause", **request)
    until = await harness.client.fcall(*call)
    await harness.later(3_000)
    assert await harness.client.fcall(*call) == until
    end = harness.function_call("unpause", kind="t", name="acme", id="two", by="ann")
    assert [await harness.client.fcall(*end) for _ in range(2)] == [1, 1]
    assert not (await pauses(harness).unpause("tenant", "acme", "ann")).changed


@pytest.mark.parametrize(("kind", "name"), PAUSED)
async def test_the_tenant_or_the_fleet_and_one_worker_are_told(
    harness: QueueHarness, kind: PauseKind, name: str
) -> None:
    channel = f"pw:events:{'acme' if kind == 'tenant' else '_fleet'}"
    events = harness.client.pubsub(ignore_subscribe_messages=True)
    await events.subscribe(channel)
    await harness.consumer.register_worker("w1")
    await pauses(harness).pause(kind, name, "the shop is down", "ann", for_seconds=60)
    await harness.later(61_000)
    assert await harness.take() == []
    await pauses(harness).pause(kind, name, "again", "ann")
    await pauses(harness).unpause(kind, name, "bob")
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(told) < 4:
            told.append(json.loads((await anext(events.listen()))["data"]))
    await events.aclose()
    assert [event["event"] for event in told] == ["paused", "unpaused"] * 2
    assert [event["detail"]["by"] for event in told] == ["ann", "its end", "ann", "bob"]
    assert {event.get("tenant_id") for event in told} == {"acme" if kind == "tenant" else None}
    assert told[0]["detail"].items() >= {"kind": kind, "name": name, "reason": "the shop is down"}.items()
    assert told[0]["detail"]["until"] > told[0]["at"]
    notices = (await harness.consumer.wait("w1", 5)).control
    assert notices == tuple(PauseNotice(event["event"], event["detail"]) for event in told)


async def test_a_pause_that_cannot_be_read_does_not_count_and_stops_nothing(harness: QueueHarness) -> None:
    """A later release may have other kinds, and anyone may edit the hash by hand."""
    whole = {"id": "1", "reason": "why", "by": "ann", "since_ms": 1}
    unreadable = {
        "wlater": json.dumps(whole),
        "tacme": "no JSON",
        f"m{MODULE}": "[]",
        f"d{HOST}": json.dumps({**whole, "until_ms": "soon"}),
        "": json.dumps(whole),
        "tother": json.dumps({**whole, "reason": None}),
    }
    await harness.producer.enqueue(target(1))
    await harness.client.hset("pw:{0}:paused", mapping=unreadable)
    await harness.client.hset("pw:{0}:meta", "paused", "a digest")
    await harness.producer.enqueue(others())
    assert sorted(await harness.drain()) == ["o1", "o2", "t0"]
    assert await pauses(harness).all() == []
    for kind, name in PAUSED:
        assert (await pauses(harness).pause(kind, name, "why", "ann")).changed
        assert (await pauses(harness).unpause(kind, name, "ann")).changed


async def test_a_claim_pays_no_command_for_pauses_of_others(harness: QueueHarness) -> None:
    async def commands() -> int:
        stats = await harness.client.info("commandstats")
        return sum(
            row["calls"] for name, row in stats.items() if not name.startswith(("cmdstat_config", "cmdstat_info"))
        )

    costs = []
    for round_ in range(3):
        if round_ == 2:
            for kind, _ in PAUSED:
                await pauses(harness).pause(kind, "another", "why", "ann")
        await harness.producer.enqueue(target(5, 10 * round_))
        before = await commands()
        await harness.finish(await harness.take(capacity=places(("acme", None, 5))))
        costs.append(await commands() - before)
    assert costs[2] <= costs[1]
