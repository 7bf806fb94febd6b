"""Both ways in, on a real Redis."""

import asyncio
import json
import time

import pytest
from pw_intake import QUICK, Counter, job
from pw_queue import ref
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.intake.processing_list import BATCH
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import connect


async def test_each_source_keeps_its_order(counter: Counter) -> None:
    count = 2 * BATCH + 10
    await counter.push(*(job(i, "list") for i in range(count)))
    await counter.add(*(job(i, "stream") for i in range(count)))
    async with counter.intake():
        await counter.reached(2 * count)
        await counter.settled()
    order = await counter.order()
    assert [name for name in order if name.startswith("list")] == [f"list-{i}" for i in range(count)]
    assert [name for name in order if name.startswith("stream")] == [f"stream-{i}" for i in range(count)]


async def test_what_is_pushed_while_it_waits_is_taken_at_once(counter: Counter) -> None:
    async with counter.intake(timing=IntakeTimeouts()):
        for i, push in enumerate((counter.push, counter.add, counter.push, counter.add)):
            await asyncio.sleep(0.05)  # both sources block again
            await push(job(i))
            async with asyncio.timeout(1):
                await counter.reached(i + 1)
        await counter.settled()


async def test_one_id_is_one_job_whichever_way_it_comes(counter: Counter) -> None:
    async with counter.intake():
        await counter.push(job(1), job(1), job(2))
        await counter.add(job(1), job(2), job(3))
        await counter.settled()
    assert sorted(await counter.order()) == ["acme-1", "acme-2", "acme-3"]


async def test_no_text_is_dropped_in_silence(counter: Counter) -> None:
    bad = [b"garbage", job(1, extra=1), b"\xff", b"[object Object]"]
    async with counter.intake():
        await counter.push(*bad, job(2))
        await counter.add(b"nope", job(3, priority="urgent"), job(4))
        await counter.add(job(5), field="payload")
        await counter.settled()
    letters = await counter.letters()
    assert {letter.job for letter in letters} == {*bad, b"nope", job(3, priority="urgent"), wrapped(job(5))}
    assert set(await counter.order()) == {"acme-2", "acme-4"}
    for name in ("acme-1", "acme-3"):
        result = json.loads(await counter.queue.inspection.result(ref(name)) or b"")
        assert (result["status"], result["error"]["retryable"]) == ("rejected", False)
    assert await counter.queue.inspection.result(ref("acme-5")) is None


def wrapped(text: bytes) -> bytes:
    """What the dead letter of an entry without the field `job` holds."""
    return json.dumps({"payload": text.decode()}, separators=(",", ":")).encode()


async def test_pausing_takes_nothing_more(counter: Counter) -> None:
    async with counter.intake() as intake:
        await counter.push(job(1))
        await counter.reached(1)
        intake.pause()
        await asyncio.sleep(3 * QUICK.block_seconds)  # blocked reads have ended
        await counter.push(job(2))
        await counter.add(job(3))
        await asyncio.sleep(3 * QUICK.block_seconds)
        assert await counter.jobs() == 1
        intake.resume()
        await counter.reached(3)
        await counter.settled()


async def test_a_deleted_group_is_created_again(counter: Counter) -> None:
    async with counter.intake():
        await counter.add(job(1))
        await counter.reached(1)
        await counter.redis_client.send("XGROUP", "DESTROY", "pw:jobs", "pw", key="pw:jobs")
        await counter.add(job(2))
        await counter.reached(2)
        await counter.redis_client.send("DEL", "pw:jobs", key="pw:jobs")
        await counter.add(job(3))
        await counter.reached(3)
        await counter.settled()


async def test_a_deleted_entry_is_forgotten(counter: Counter) -> None:
    await counter.add(job(1))
    send = counter.redis_client.send
    await send("XGROUP", "CREATE", "pw:jobs", "pw", "0", key="pw:jobs")
    await send("XREADGROUP", "GROUP", "pw", "w1", "STREAMS", "pw:jobs", ">", key="pw:jobs")
    await send("XTRIM", "pw:jobs", "MAXLEN", 0, key="pw:jobs")
    async with counter.intake():
        async with asyncio.timeout(5):
            while (await send("XPENDING", "pw:jobs", "pw", key="pw:jobs"))["pending"]:
                await counter.turn()
    assert await counter.letters() == []


async def test_names_of_dead_workers_are_removed(counter: Counter) -> None:
    send = counter.redis_client.send
    await send("XGROUP", "CREATE", "pw:jobs", "pw", "0", "MKSTREAM", key="pw:jobs")
    for i in range(5):
        await send("XGROUP", "CREATECONSUMER", "pw:jobs", "pw", f"gone{i}", key="pw:jobs")
        await send("ZADD", "{pw:inbox}:workers", 0, f"gone{i}", key="pw:inbox")
    async with counter.intake("w1"), counter.intake("w2"):
        async with asyncio.timeout(10):
            while len(await send("XINFO", "CONSUMERS", "pw:jobs", "pw", key="pw:jobs")) > 2:
                await counter.turn()
            # Each source removes the dead on its own.
            while await send("ZRANGE", "{pw:inbox}:workers", 0, -1, key="pw:inbox") != [b"w1", b"w2"]:
                await counter.turn()


async def test_a_source_of_the_wrong_type_does_not_stop_the_other(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pageworker_supervisor.intake.intake.REFUSED_SECONDS", 0.1)
    await counter.redis_client.send("SET", "pw:inbox", "a mistake", key="pw:inbox")
    async with counter.intake():
        await counter.add(job(1))
        await counter.reached(1)
        await counter.redis_client.send("DEL", "pw:inbox", key="pw:inbox")
        await counter.push(job(2))
        await counter.reached(2)
        await counter.settled()


async def test_full_memory_is_waited_out(counter: Counter, live_redis: RedisServer) -> None:
    async with counter.intake():
        await counter.push(job(1))
        await counter.reached(1)
        live_redis.command("CONFIG", "SET", "maxmemory", 1)
        try:
            await asyncio.sleep(2 * QUICK.block_seconds)  # it is refused a few times
            assert counter.redis_client.availability.reason == "", "full memory does not count as cut off"
        finally:
            live_redis.command("CONFIG", "SET", "maxmemory", 0)
        await counter.push(job(2))
        await counter.add(job(3))
        await counter.reached(3)
        await counter.settled()


async def test_idle_sends_less_than_a_command_a_second(counter: Counter, proxied_redis: RespProxy) -> None:
    # Ten times as quick as in earnest, so ten times the cost.
    timing = IntakeTimeouts(*(getattr(IntakeTimeouts(), name) / 10 for name in IntakeTimeouts.__dataclass_fields__))
    redis_client = connect(RedisSettings(url=proxied_redis.url))
    async with counter.intake(redis_client=redis_client, timing=timing):
        await asyncio.sleep(timing.upkeep_seconds)  # past the start
        before, since = proxied_redis.replies, time.monotonic()
        await asyncio.sleep(2 * timing.upkeep_seconds)
        rate = (proxied_redis.replies - before) / (time.monotonic() - since)
    await redis_client.aclose()
    assert 3.0 <= rate <= 10.0


async def test_thousands_a_second(counter: Counter) -> None:
    count = 3000
    await counter.push(*(job(i, payload={"url": "https://shop.example/p", "n": i}) for i in range(count)))
    since = time.process_time()
    async with counter.intake():
        await counter.reached(count)
        await counter.settled()
    assert count / (time.process_time() - since) >= 3000
