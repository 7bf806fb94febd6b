"""Whatever happens, a call stays small and no key stays for ever."""

import re
from pathlib import Path

import pytest
from pw_queue import JobEnd, QueueHarness, everything, finish_all, places, ref, ticket

from pageworker_supervisor.queue.functions import unpacked
from pageworker_supervisor.queue.producer import QuotaLimits

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-keys.md"


async def test_a_flood_that_is_due_at_once_stalls_no_other_tenant(harness: QueueHarness) -> None:
    """sidekiq#3012: a million jobs fell due together, and nothing else moved."""
    for first in range(0, 20_000, 1000):
        await harness.producer.enqueue(
            [ticket(f"flood-{n}", "flood", delay_ms=1000) for n in range(first, first + 1000)]
        )
    await harness.later(1_500)
    await harness.producer.enqueue([ticket("urgent", "other")])
    await harness.client.execute_command("CONFIG", "SET", "slowlog-log-slower-than", "50000")
    await harness.client.slowlog_reset()
    leases = await harness.take(capacity=everything(4))
    assert "urgent" in [lease.job_id for lease in leases]
    (stats,) = await harness.inspection.stats()
    assert stats.delayed >= 20_000 - 64, "a slice a call"
    assert await harness.client.slowlog_len() == 0
    assert len(await harness.drain(capacity=everything(250))) + len(leases) == 20_001


async def test_leases_are_reaped_in_slices(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(200)])
    await harness.take(capacity=everything(200))
    await harness.later(50_000)
    reply = await harness.client.fcall(*harness.function_call("reap", limit=64, jitter=0))
    assert unpacked(reply)["count"] == 64
    assert (await harness.consumer.reap()).count == 136


async def test_an_idle_tenant_and_domain_leave_nothing_that_stays(harness: QueueHarness) -> None:
    """And nothing else does, but bounded streams and what counts."""
    busy = [
        ticket(f"{tenant}-{n}", tenant, domain=f"{n}.test", profile_id="p1" if n % 2 else None, rate=50.0)
        for tenant in ("a", "b", "c")
        for n in range(6)
    ]
    await harness.producer.enqueue(busy)
    ending = JobEnd(status="failed", result=b"{}", dead_letter=b"{}")
    done = 0
    while done < len(busy):
        leases = await harness.take()
        assert await finish_all(harness.consumer, leases, ending)
        for lease in leases:
            if lease.profile_id is not None:
                await harness.consumer.release_profile("w1", lease.tenant_id, "p1", lease.profile_fence or 0)
        done += len(leases)
        await harness.later(1_000)
    await harness.consumer.forget_worker("w1")
    stays = {key.decode() async for key in harness.client.scan_iter() if await harness.client.ttl(key) < 0}
    letters = {"pw:{0}:dead", "pw:{0}:dead:weight", *(f"pw:{{0}}:dead:of:{tenant}" for tenant in ("a", "b", "c"))}
    assert stays == {"pw:{0}:clock", "pw:{0}:meta", "pw:{0}:ready", "pw:{0}:results", *letters}
    assert await harness.dead_letters.purge(
        [letter.id for letter in (await harness.dead_letters.page()).letters]
    ) == len(busy)
    stays = {key.decode() async for key in harness.client.scan_iter() if await harness.client.ttl(key) < 0}
    assert stays == {"pw:{0}:clock", "pw:{0}:dead", "pw:{0}:meta", "pw:{0}:ready", "pw:{0}:results"}


async def test_a_bucket_is_not_refilled_by_being_forgotten(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", rate=0.01, burst=50) for n in range(3)])
    await harness.drain()
    assert await harness.client.ttl("pw:{0}:tenant:acme") > 4_900


async def test_every_key_is_named_in_the_documentation(harness: QueueHarness) -> None:
    """Everything that a busy shard ever writes, held against docs/redis-keys.md."""
    one = QuotaLimits(concurrency=1)
    await harness.consumer.register_worker("w1")
    await harness.producer.enqueue(
        [
            *(ticket(f"d{n}", domain="x.test", domain_limits=one) for n in range(3)),
            *(ticket(f"p{n}", profile_id="p1", priority="high") for n in range(3)),
            ticket("late", delay_ms=60_000, expires_at_ms=10**14),
            ticket("r1", "slow", rate=0.1, burst=1),
            ticket("r2", "slow", rate=0.1, burst=1),
            ticket("c1", "narrow", concurrency=1),
            ticket("c2", "narrow", concurrency=1),
            ticket("x", "cancelled"),
        ]
    )
    seen: set[str] = set()
    await _note(harness, seen)
    await harness.inspection.cancel(ref("x", "cancelled"))
    await harness.inspection.cancel(ref("y", "cancelled"))
    await _note(harness, seen)
    leases = await harness.take(capacity=places(new=4, pages=1))
    await harness.producer.enqueue([ticket("p9", profile_id="p1")])
    await harness.inspection.cancel(leases[-1].ref)
    await _note(harness, seen)
    ending = JobEnd(status="failed", result=b"{}", callback="http://x.test/", dead_letter=b"{}")
    assert await finish_all(harness.consumer, leases[:-1], ending)
    await harness.producer.reject(b"{", "broken")
    await _note(harness, seen)
    patterns = _documented()
    unknown = {key for key in seen if not any(pattern.fullmatch(key) for pattern in patterns)}
    assert not unknown
    assert len(seen) > 30


async def _note(harness: QueueHarness, seen: set[str]) -> None:
    seen |= {key.decode() async for key in harness.client.scan_iter()}


def _documented() -> list[re.Pattern[str]]:
    names = re.findall(r"^\| `(pw:[^`]+)`", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert names
    return [
        re.compile(re.sub(r"<[^>]+>", "[^ ]*", re.escape(name).replace("\\<", "<").replace("\\>", ">")))
        for name in names
    ]


@pytest.mark.parametrize("cursor", [None])
async def test_a_listing_shows_every_job_once(harness: QueueHarness, cursor: str | None) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", f"t{n % 3}", concurrency=5) for n in range(1500)])
    await harness.producer.enqueue([ticket("late", delay_ms=60_000)])
    running = {lease.job_id for lease in await harness.take(capacity=everything(200))}
    seen: dict[str, str] = {}
    while True:
        page = await harness.inspection.jobs(cursor=cursor)
        seen |= {view.job_id: view.state for view in page.jobs}
        cursor = page.cursor
        if cursor is None:
            break
    assert len(seen) == 1501
    assert {job for job, state in seen.items() if state == "running"} == running
    assert seen["late"] == "delayed"
    assert {view.tenant_id for view in (await harness.inspection.jobs(tenant_id="t1", state="queued")).jobs} <= {"t1"}
