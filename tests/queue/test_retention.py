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


RETENTION = {"result_ttl_ms": 1000, "stream_length": 100, "dead_length": 100, "dead_bytes": 10**6, "result_key": True}


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
        assert await harness.inspection.audit() == []


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
        assert await harness.inspection.audit() == []


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
        assert await harness.inspection.audit() == []


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
