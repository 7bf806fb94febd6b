"""What is counted of tenants per hour, on a real Redis."""

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, ticket

from pageworker_supervisor.contract.traffic import MAX_COUNT, Traffic
from pageworker_supervisor.queue.library import USAGE_NUMBERS
from pageworker_supervisor.queue.usage import OUTCOMES, JobSpending, UsageHour, usage_hours

HOUR_MS = 3_600_000
SPENT = JobSpending(1.5, Traffic(3, 1000, 200))
FAILED = JobEnd(status="failed", result=b"{}")


async def day_of(harness: QueueHarness) -> int:
    seconds, _ = await harness.client.time()
    return int(seconds) // 86_400


async def ended(harness: QueueHarness, name: str, tenant: str = "acme", end: JobEnd = DONE) -> None:
    await harness.producer.enqueue([ticket(name, tenant)])
    assert await harness.consumer.finish(await harness.one(), **end, spent=SPENT)


async def read(harness: QueueHarness, tenant: str = "acme") -> list[UsageHour]:
    return await harness.queue.usage.read(tenant, await day_of(harness) - 1, 5)


async def test_jobs_of_one_hour_are_added_and_those_of_the_next_begin_anew(harness: QueueHarness) -> None:
    await harness.stop_clock()
    for name in ("1", "2"):
        await ended(harness, name)
    await ended(harness, "3", end=FAILED)
    await ended(harness, "4", tenant="rival")
    await harness.later(HOUR_MS)
    await ended(harness, "5")
    first, second = await read(harness)
    assert second.hour - first.hour == 3600
    assert first == UsageHour(
        tenant_id="acme",
        hour=first.hour,
        page_seconds=4.5,
        requests=9,
        bytes_in=3000,
        bytes_out=600,
        jobs={"succeeded": 2, "failed": 1},
    )
    seconds, _ = await harness.client.time()
    assert 0 <= seconds - first.hour < 3700
    assert (second.page_seconds, second.jobs) == (1.5, {"succeeded": 1})
    assert [row.jobs for row in await read(harness, "rival")] == [{"succeeded": 1}]
    assert await read(harness, "none") == []


async def test_a_repeated_call_and_a_lost_lease_count_nothing(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("1")])
    lease = await harness.one()
    for _ in range(2):
        assert await harness.consumer.finish(lease, **DONE, spent=SPENT)
    await harness.producer.enqueue([ticket("2")])
    lost = await harness.one()
    assert await harness.consumer.requeue(lost)
    assert not await harness.consumer.finish(lost, **DONE, spent=SPENT)
    (row,) = await read(harness)
    assert row.jobs == {"succeeded": 1}


async def test_the_record_of_a_day_goes_after_400_days(harness: QueueHarness) -> None:
    await ended(harness, "1")
    (key,) = await harness.client.keys("pw:{0}:usage:acme:*")
    assert 400 * 86_400 < await harness.client.ttl(key) <= 401 * 86_400
    assert await harness.client.object("ENCODING", key) == b"listpack"


async def test_a_number_has_an_end_and_a_damaged_hour_begins_anew(harness: QueueHarness) -> None:
    await ended(harness, "1")
    (key,) = await harness.client.keys("pw:{0}:usage:acme:*")
    (hour,) = await harness.client.hkeys(key)
    await harness.client.hset(key, hour, " ".join([str(MAX_COUNT)] * len(USAGE_NUMBERS)))
    await ended(harness, "2")
    (row,) = await read(harness)
    assert (row.requests, row.jobs["succeeded"]) == (MAX_COUNT, MAX_COUNT)
    await harness.client.hset(key, hour, "nonsense \xff")
    assert await read(harness) == []
    await ended(harness, "3")
    (row,) = await read(harness)
    assert (row.requests, row.jobs) == (3, {"succeeded": 1})


async def test_the_last_days_are_those_of_the_clock_of_redis(harness: QueueHarness) -> None:
    await ended(harness, "1")
    (key,) = await harness.client.keys("pw:{0}:usage:acme:*")
    (numbers,) = (await harness.client.hgetall(key)).values()
    today = await day_of(harness)
    for day in range(today - 2, today + 2):
        await harness.client.hset(f"pw:{{0}}:usage:acme:{day}", "0", numbers)
    # Two days: the day may change between the calls.
    days = {row.hour // 86_400 for row in await harness.queue.usage.last_days("acme", 2)}
    assert days in ({today - 1, today}, {today, today + 1})


NUMBERS = " ".join("1" * 12)


@pytest.mark.parametrize(
    "row",
    [
        *((0, hour, NUMBERS) for hour in ("x", "24", "-1", "", "\u0661")),
        *((0, "1", numbers) for numbers in (f"{NUMBERS} 1", "1 2", " ".join("a" * 12), f"{NUMBERS[:-1]}{10**16}", "")),
    ],
)
def test_what_cannot_be_read_is_left_out(row: tuple[int, str, str]) -> None:
    good = (20_000, "23", " ".join(str(number) for number in range(12)))
    (found,) = usage_hours("acme", [row, good])
    assert found.hour == 20_000 * 86_400 + 23 * 3600
    assert found.jobs == dict(zip(OUTCOMES, range(4, 12), strict=True))
