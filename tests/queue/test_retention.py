"""Dead letters are bounded by number and by bytes, and no tenant's are pushed out by another's."""

import hashlib
from collections import Counter

import msgspec
from pw_queue import QueueHarness, open_harness, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.contract.job import JobRef

KIB = 1024


def junk(number: int, size: int = 1000) -> bytes:
    return str(number).encode() + b"x" * size


async def kept(harness: QueueHarness) -> Counter[str | None]:
    """How many letters each tenant has."""
    found: Counter[str | None] = Counter()
    cursor = None
    while True:
        page = await harness.dead_letters.page(500, cursor)
        found.update(letter.tenant_id for letter in page.letters)
        cursor = page.cursor
        if cursor is None:
            return found


RETENTION = {
    "result_ttl_ms": 1000,
    "stream_length": 100,
    "dead_length": 100,
    "dead_bytes": 10**6,
    "result_key": True,
    "rejected_length": 100,
    "rejected_bytes": 10**6,
}


async def test_a_huge_text_is_kept_in_part_with_its_length_and_digest(harness: QueueHarness) -> None:
    raw = b'{"job_id":"j1",' + b"x" * 3_000_000
    await harness.producer.reject(raw, "not JSON")
    (letter,) = (await harness.dead_letters.page()).letters
    assert letter.job == raw[: 16 * KIB]
    told = msgspec.json.decode(letter.detail)
    assert told == {
        "reason": "not JSON",
        "text": {"bytes": len(raw), "kept_bytes": 16 * KIB, "sha256": hashlib.sha256(raw).hexdigest()},
    }
    assert await harness.client.memory_usage("pw:{0}:dead") < 64 * KIB
    await harness.producer.reject(raw, "not JSON")
    assert len((await harness.dead_letters.page()).letters) == 1, "the same text, still known by all of it"


async def test_a_job_that_failed_is_kept_whole(harness: QueueHarness) -> None:
    body = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"m","payload":{"x":"%s"}}' % (b"y" * 200_000)
    await harness.producer.enqueue([ticket("j1", body=body)])
    assert await harness.consumer.finish(await harness.one(), status="failed", result=b"{}", dead_letter=b"{}")
    (letter,) = (await harness.dead_letters.page()).letters
    assert letter.job == body
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "queued"}


async def test_all_letters_together_stay_below_the_bytes(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, dead_bytes=100 * KIB, dead_text_bytes=4 * KIB) as harness:
        for number in range(200):
            await harness.producer.reject(junk(number, 50_000), "no job")
        letters = (await harness.dead_letters.page(500)).letters
        assert 15 <= len(letters) <= 25
        assert sum(len(letter.job) + len(letter.detail) for letter in letters) <= 100 * KIB
        assert letters[0].job.startswith(b"199x"), "the newest stay"
        assert await harness.client.memory_usage("pw:{0}:dead", samples=0) < 300 * KIB
        assert await harness.inspection.check_consistency() == []


async def test_one_tenants_flood_pushes_out_its_own_letters_only(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, dead_bytes=400 * KIB, dead_length=100) as harness:
        for number in range(20):
            await harness.producer.reject(junk(number), "no job", JobRef("quiet", f"q{number}"))
        for number in range(300):
            await harness.producer.reject(junk(number, 9_000), "no job", JobRef("loud", f"l{number}"))
        found = await kept(harness)
        assert found["quiet"] == 20
        assert 20 <= found["loud"] <= 80
        for number in range(300, 600):
            await harness.producer.reject(junk(number, 10), "no job", JobRef("loud", f"l{number}"))
        found = await kept(harness)
        assert found["quiet"] == 20
        assert found.total() <= 100
        assert await harness.inspection.check_consistency() == []


async def test_a_tenants_letters_are_found_without_looking_at_others(harness: QueueHarness) -> None:
    for number in range(5):
        await harness.producer.reject(junk(number), "no job", JobRef("small", f"s{number}"))
    for number in range(300):
        await harness.producer.reject(junk(number, 10), "no job", JobRef("large", f"l{number}"))
    await harness.client.config_resetstat()
    page = await harness.dead_letters.page(50, tenant_id="small")
    assert [letter.job_id for letter in page.letters] == [f"s{n}" for n in reversed(range(5))]
    assert page.cursor is None
    stats = await harness.client.info("commandstats")
    assert sum(row["calls"] for name, row in stats.items() if name.startswith(("cmdstat_x", "cmdstat_z"))) <= 6


async def test_a_purge_frees_the_bytes(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, dead_bytes=100 * KIB) as harness:
        for number in range(50):
            await harness.producer.reject(junk(number, 3_000), "no job")
        ids = [letter.id for letter in (await harness.dead_letters.page(500)).letters]
        assert await harness.dead_letters.purge(ids) == len(ids)
        assert await harness.dead_letters.purge(ids) == 0
        assert await harness.client.hget("pw:{0}:meta", "dead_bytes") == b"0"
        assert await harness.inspection.check_consistency() == []


async def test_digests_of_rejected_texts_are_few_however_many_come(harness: QueueHarness) -> None:
    async with harness.client.pipeline(transaction=False) as pipe:
        for number in range(12_000):
            call = harness.function_call(
                "reject", retention=RETENTION, push=f"digest-{number}:", text="x", reason="rejected", letter="{}"
            )
            pipe.fcall(*call)
        await pipe.execute()
    assert await harness.client.zcard("pw:{0}:rejected") == 10_000
    assert len((await harness.dead_letters.page(500)).letters) == 100
    assert await harness.inspection.result(ref("x")) is None


def rejection(number: int, size: int = 100, tenant: str = "loud") -> tuple[bytes, str, JobRef, bytes]:
    return junk(number, 10), "no job", JobRef(tenant, f"r{number}"), b'{"n":%d,"x":"%s"}' % (number, b"x" * size)


async def result_keys(harness: QueueHarness, tenant: str) -> set[str]:
    """Job ids of the tenant's stored results."""
    start = f"pw:result:{tenant}:"
    return {key.decode().removeprefix(start) async for key in harness.client.scan_iter(f"{start}*", count=1000)}


async def test_a_flood_of_rejected_texts_keeps_the_tenants_newest_results_only(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_length=50) as harness:
        assert await harness.producer.reject(*rejection(1000, tenant="quiet"))
        for number in range(200):
            assert await harness.producer.reject(*rejection(number))
        assert await result_keys(harness, "loud") == {f"r{n}" for n in range(150, 200)}
        assert await result_keys(harness, "quiet") == {"r1000"}
        assert len(await harness.results()) == 51, "what is deleted leaves the stream too"
        assert await harness.client.zcard("pw:{0}:rejected:of:loud") == 50
        assert await harness.inspection.check_consistency() == []


async def test_unknown_tenants_have_one_bound_together(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_length=10) as harness:
        await harness.producer.reject(*rejection(1000, tenant="known"))
        for number in range(30):
            await harness.producer.reject(*rejection(number, tenant=f"made-up-{number}"), bound="*")
        keys = {key.decode() async for key in harness.client.scan_iter("pw:result:*", count=1000)}
        newest = {f"pw:result:made-up-{n}:r{n}" for n in range(20, 30)}
        assert keys == {"pw:result:known:r1000", *newest}
        assert len(await harness.results()) == 11


async def test_results_of_rejected_texts_are_bounded_in_bytes(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_bytes=20 * KIB) as harness:
        for number in range(100):
            await harness.producer.reject(*rejection(number, 2 * KIB))
        assert await result_keys(harness, "loud") == {f"r{n}" for n in range(91, 100)}
        await harness.producer.reject(*rejection(100, 100 * KIB))
        assert await result_keys(harness, "loud") == {"r100"}, "the newest is kept, whatever its size"


async def test_jobs_that_a_worker_rejects_are_bounded_the_same_way(live_redis: RedisServer) -> None:
    """A module that does not exist: the job waits, is claimed, and ends at once."""
    async with open_harness(live_redis.port, rejected_length=10) as harness:
        await harness.producer.enqueue([ticket(f"j{n}") for n in range(40)])
        while leases := await harness.take():
            for lease in leases:
                assert await harness.consumer.finish(
                    lease, status="rejected", result=b'{"id":"%s"}' % lease.job_id.encode()
                )
        assert len(await result_keys(harness, "acme")) == 10
        done = [key async for key in harness.client.scan_iter("pw:{0}:done:*", count=1000)]
        left = sorted([await harness.client.pttl(key) for key in done])
        assert left[29] <= 60_000 < left[30], "a worker may repeat the end of a job"
        assert len(await harness.results()) == 10
        assert await harness.producer.enqueue([ticket("j0")], "second") == ["queued"], "its id is free"


async def test_the_end_of_a_job_may_be_repeated_when_its_result_is_gone(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_length=1) as harness:
        await harness.producer.enqueue([ticket(f"j{n}") for n in range(3)])
        first, second, third = await harness.take()
        for lease in (first, second, first):
            assert await harness.consumer.finish(lease, status="rejected", result=lease.job_id.encode())
        await harness.later(60_001)
        assert await harness.consumer.finish(third, status="rejected", result=b"third")
        done = {key async for key in harness.client.scan_iter("pw:{0}:done:*", count=1000)}
        assert len(done) == 2, "after a minute, none repeats it"


async def test_a_text_that_is_rejected_each_day_keeps_its_newest_result(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_length=10) as harness:
        _, reason, job, result = rejection(0)
        for day in range(2):
            assert await harness.producer.reject(junk(1000 + day), reason, job, result)
        for number in range(1, 10):
            await harness.producer.reject(*rejection(number))
        assert await result_keys(harness, "loud") == {f"r{n}" for n in range(10)}
        assert len(await harness.results()) == 10, "its old entry is gone"
        await harness.producer.reject(*rejection(10))
        assert await result_keys(harness, "loud") == {f"r{n}" for n in range(1, 11)}
        assert await harness.client.hlen("pw:{0}:rejected:last:loud") == 10


async def test_the_result_of_a_corrected_push_outlives_its_rejection(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, rejected_length=10) as harness:
        await harness.producer.reject(*rejection(0))
        await harness.producer.enqueue([ticket("r0", "loud")])
        assert await harness.consumer.finish(await harness.one(), status="succeeded", result=b'{"status":"succeeded"}')
        for number in range(1, 30):
            await harness.producer.reject(*rejection(number))
        assert await harness.inspection.result(ref("r0", "loud")) == b'{"status":"succeeded"}'
        assert await harness.producer.enqueue([ticket("r0", "loud")]) == ["duplicate"]


async def test_what_is_remembered_of_rejections_ends_with_their_results(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, result_ttl_seconds=2, rejected_length=1000) as harness:
        for number in range(5):
            await harness.producer.reject(*rejection(number))
        await harness.later(3_000)
        await harness.producer.reject(*rejection(5))
        assert await harness.client.zcard("pw:{0}:rejected:of:loud") == 1
        assert 0 < await harness.client.pttl("pw:{0}:rejected:of:loud") <= 2_000
