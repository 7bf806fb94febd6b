"""Redis' clock jumps by an hour: leases, delays, rates and callbacks go on, and no limit is exceeded."""

from collections.abc import AsyncIterator

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, ref, ticket

from pageworker_supervisor.queue.claim import boot_seconds
from pageworker_supervisor.queue.functions import unpacked
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.queue.request_rates import RequestRate

HOUR_MS = 3_600_000


@pytest.fixture
async def jumping(harness: QueueHarness) -> AsyncIterator[QueueHarness]:
    """Its clock stands still. At the end, its keys agree."""
    await harness.stop_clock()
    yield harness
    assert await harness.inspection.check_consistency() == []


async def jump(harness: QueueHarness, milliseconds: int) -> None:
    """Between two reaps of the workers."""
    await harness.consumer.reap()
    await harness.later(milliseconds)
    await harness.consumer.reap()


async def test_set_back_the_lease_of_a_dead_worker_ends_in_time(jumping: QueueHarness) -> None:
    await jumping.producer.enqueue([ticket("j1", profile_id="p")])
    await jumping.one()
    await jump(jumping, -HOUR_MS)
    await jumping.later(44_000)
    assert (await jumping.consumer.reap()).count == 0, "its worker may still live"
    await jumping.later(2_000)
    assert (await jumping.consumer.reap()).count == 1
    await jumping.later(10_000)
    lease = await jumping.one("w2")
    assert lease.job_id == "j1"
    await jumping.finish([lease])


async def test_set_back_a_silent_worker_is_forgotten_in_time(jumping: QueueHarness) -> None:
    await jumping.consumer.register_worker("w1")
    await jump(jumping, -HOUR_MS)
    await jumping.later(181_000)
    await jumping.consumer.reap()
    assert await jumping.client.zscore("pw:{0}:workers", "w1") is None


async def test_set_back_the_lease_of_a_living_worker_stays(jumping: QueueHarness) -> None:
    await jumping.producer.enqueue([ticket("j1")])
    lease = await jumping.one()
    await jumping.consumer.reap()
    await jumping.later(-HOUR_MS)
    for _ in range(5):
        await jumping.consumer.heartbeat("w1", [lease], [])
        await jumping.later(30_000)
        assert (await jumping.consumer.reap()).count == 0
    await jumping.finish([lease])


async def test_set_back_a_delay_lasts_as_long_as_before(jumping: QueueHarness) -> None:
    await jumping.producer.enqueue([ticket("j1"), ticket("j2", delay_ms=20_000)])
    assert await jumping.consumer.retry(await jumping.one(), 10_000, b"{}")
    await jumping.consumer.reap()
    await jumping.later(-HOUR_MS)
    await jumping.producer.enqueue([ticket("j3", delay_ms=15_000)])
    await jumping.consumer.reap()
    started = {}
    for second in range(25):
        for name in await jumping.drain():
            started[name] = second
        await jumping.later(1_000)
    assert started == {"j1": 10, "j3": 15, "j2": 20}


async def test_set_back_a_job_expires_in_time(jumping: QueueHarness) -> None:
    seconds, micros = await jumping.client.time()
    now = seconds * 1000 + micros // 1000
    jobs = [ticket("j1", delay_ms=60_000, expires_at_ms=now + 30_000), ticket("j2", expires_at_ms=now + 30_000)]
    await jumping.producer.enqueue(jobs)
    await jump(jumping, -HOUR_MS)
    lease = await jumping.one()
    assert lease.job_id == "j2"
    assert lease.begin_before is not None
    assert lease.begin_before <= boot_seconds() + 40, "not an hour more"
    await jumping.finish([lease])
    await jumping.later(31_000)
    lease = await jumping.one()
    assert lease.ending == "expired"
    await jumping.finish([lease])


@pytest.mark.parametrize("milliseconds", [-HOUR_MS, HOUR_MS])
async def test_a_rate_goes_on_after_one_burst(jumping: QueueHarness, milliseconds: int) -> None:
    await jumping.queue.limits.set(LimitsTable(tenants={"*": QuotaLimits(rate_per_second=0.5, burst=2)}))
    await jumping.producer.enqueue([ticket(f"j{number}") for number in range(40)])
    assert len(await jumping.drain()) == 2
    assert await jumping.drain() == [], "the tenant waits for a token"
    await jump(jumping, milliseconds)
    assert len(await jumping.drain()) <= 2
    served = 0
    for _ in range(20):
        await jumping.later(1_000)
        served += len(await jumping.drain())
    assert 9 <= served <= 12


async def test_set_back_a_callback_is_tried_again_in_time(jumping: QueueHarness) -> None:
    await jumping.producer.enqueue([ticket("j1")])
    end = JobEnd(status="succeeded", result=b"{}", callback="https://n8n.test/hook")
    assert await jumping.consumer.finish(await jumping.one(), **end)
    (entry,) = await jumping.outbox.take(10, 0)
    await jumping.outbox.later(entry, 5_000)
    await jump(jumping, -HOUR_MS)
    call = jumping.function_call("outbox_take", nonce="nonce", limit=10)
    assert unpacked(await jumping.client.fcall(*call))["entries"] == []
    await jumping.later(5_000)
    assert len(unpacked(await jumping.client.fcall(*call))["entries"]) == 1
    await jumping.outbox.done([entry])


async def test_set_back_requests_to_a_host_go_on(jumping: QueueHarness) -> None:
    async def wait() -> float | None:
        (found,) = (await jumping.queue.request_rates.reserve("shop.test", RequestRate(1.0), [30.0])).waits
        return found

    assert [await wait() for _ in range(3)] == [0, 1, 2]
    await jump(jumping, -HOUR_MS)
    assert [await wait() for _ in range(3)] == [0, 1, 2]


async def test_set_back_the_open_requests_of_a_dead_worker_end_in_time(jumping: QueueHarness) -> None:
    async def granted(worker: str, holds: int, wants: int) -> int:
        counts = jumping.queue.request_counts
        return (await counts.hold("shop.test", worker, limit=2, holds=holds, wants=wants)).granted

    assert await granted("w1", 0, 2) == 2
    await jump(jumping, -HOUR_MS)
    assert await granted("w2", 0, 1) == 0, "it may still live"
    await jumping.later(31_000)
    assert await granted("w2", 0, 1) == 1


async def test_set_forward_a_job_runs_again_and_has_one_result(jumping: QueueHarness) -> None:
    await jumping.producer.enqueue([ticket("j1"), ticket("j2", delay_ms=60_000)])
    lost = await jumping.one()
    await jump(jumping, HOUR_MS)
    heard = await jumping.consumer.heartbeat("w1", [lost], [])
    assert heard.lost == {lost.token}
    await jumping.later(10_000)
    leases = await jumping.take("w2")
    assert {lease.job_id for lease in leases} == {"j1", "j2"}
    await jumping.finish(leases)
    assert not await jumping.consumer.finish(lost, **DONE)
    assert len(await jumping.results()) == 2


@pytest.mark.parametrize("milliseconds", [-HOUR_MS, HOUR_MS])
async def test_no_limit_is_exceeded_by_a_worker_that_lives(jumping: QueueHarness, milliseconds: int) -> None:
    await jumping.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=3)))
    await jumping.producer.enqueue([ticket(f"j{number}", f"t{number % 4}") for number in range(12)])
    leases = await jumping.take()
    assert len(leases) == 3
    await jumping.consumer.reap()
    await jumping.later(milliseconds)
    for _ in range(3):
        assert not (await jumping.consumer.heartbeat("w1", leases, [])).lost
        await jumping.consumer.reap()
        assert await jumping.take() == []
        await jumping.later(20_000)
    await jumping.finish(leases)
    assert len(await jumping.drain()) == 9
    assert await jumping.inspection.result(ref("j1", "t1")) is not None
